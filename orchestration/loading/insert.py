"""What a load writes: rows, rejects, counts and ledger lines of some files, in one transaction."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import chain, repeat
from typing import Any

import duckdb
import pyarrow as pa

from landed.folders import CALLS
from orchestration.loading.fields import FieldNotes
from orchestration.loading.landed_file import Contents
from orchestration.loading.seconds import Seconds
from orchestration.warehouse.catalog import number
from orchestration.warehouse.transaction import transaction

_TEXT = pa.large_string()
_PLACE = {"line": pa.int64(), "load_id": pa.int64(), "file": _TEXT}
_KNOWN = dict.fromkeys(("message_id", "received_at", "sent_at", "source", "credential"), _TEXT)
_LINE = _KNOWN | {"payload": pa.large_binary(), "line": pa.int64()}
_PAYLOAD = list(_LINE).index("payload")
_EVENT_SCHEMA = pa.schema(_KNOWN | {"payload": _TEXT} | _PLACE)
_REJECT_SCHEMA = pa.schema(
    _KNOWN | {"call": _TEXT, "reason": _TEXT, "body": pa.large_binary()} | _PLACE
)

_BATCH_ROWS = 8_192

_STAMP = "[1-9]" + "###-##-##T##:##:##.######Z".replace("#", "[0-9]")
RECEIVED_AT = (
    f"case when received_at glob '{_STAMP}' and not contains(received_at, 'T24') "
    "and received_at >= '1970' and received_at < '2262' "
    "then try_cast(received_at as timestamp) end"
)
"""SQL of when a line was received, in UTC, or null if it is not as landing/README.md writes it.

No cast to timestamptz is asked: it keeps a zone that one line names for the lines behind it, and
takes `infinity` for a time. The cast to timestamp takes 24 for an hour, which no clock shows. In
the years between, the nanoseconds of `_sdc_sequence` fit 64 bits.
"""

# A line whose checksum holds is what the receiver wrote; that DuckDB can read it too is proved
# here, so that no event can ever stop a model downstream.
_USABLE = f"json_valid(payload) and {RECEIVED_AT} is not null"

IS_RETRY = "bytes = 0 and rejected < 0"
"""Of a line of the ledger: it is of rejected records of a file that became events later."""

UNKNOWN = "unknown"
"""The call or source, in counts, of what does not say."""

HOUR = (
    "coalesce(date_trunc('hour', received_at), "
    "try_strptime(left(file, 11), '%Y%m%dT%H'), timestamp '1970-01-01')"
)
"""The hour a line counts in: that of its receipt, else that in which its file was begun."""


def insert_files(
    con: duckdb.DuckDBPyConnection,
    portion: list[Contents],
    loaded_at: Mapping[int, datetime],
    seconds: Seconds | None = None,
) -> Counter[str]:
    """Insert all of some files.

    Args:
        con: The warehouse.
        portion: What the files hold; each says which load it belongs to.
        loaded_at: When each of those loads was, in UTC.
        seconds: What is told how long the parts of it took.

    Returns:
        File → how many of its lines looked whole, but are not usable by the warehouse.
    """
    seconds = seconds or Seconds()
    began = time.perf_counter()
    with transaction(con):
        unusable = insert_events(con, portion, seconds)
        _insert_rejects(con, portion)
        _insert_ledger(con, portion, unusable, loaded_at)
        inserted = time.perf_counter()
    seconds.insert = inserted - began - seconds.fields
    seconds.commit = time.perf_counter() - inserted
    return unusable


def insert_events(
    con: duckdb.DuckDBPyConnection, portion: list[Contents], seconds: Seconds | None = None
) -> Counter[str]:
    """Insert the events of some files; what DuckDB cannot read goes to the rejects.

    The fields they have are noted. In an open transaction.

    Args:
        con: The warehouse.
        portion: What the files hold.
        seconds: What is told how long it took to look at the fields.

    Returns:
        How many lines of each file went there.
    """
    seconds = seconds or Seconds()
    unusable: Counter[str] = Counter()
    notes = FieldNotes(con)
    # one insert for all calls, as each makes a file
    con.execute("create or replace temp table event_counts as from raw.landed_count limit 0")
    for call in CALLS:
        of_call = [contents for contents in portion if contents.file.call == call]
        unusable += _insert_events_of(con, call, of_call, notes, seconds)
    con.execute("insert into raw.landed_count from event_counts; drop table event_counts")
    with seconds.looking_at_fields():
        notes.add()
    return unusable


def _insert_events_of(
    con: duckdb.DuckDBPyConnection,
    call: str,
    portion: list[Contents],
    notes: FieldNotes,
    seconds: Seconds,
) -> Counter[str]:
    if not any(contents.lines for contents in portion):
        return Counter()
    con.register("events", events_table(portion))
    _choose_events(con, _USABLE)
    inserted = number(
        con,
        f"""
        insert into raw."{call}" by name
        select * replace (payload::json as payload) from usable_events
        """,  # noqa: S608 - call is one of our own words
    )
    is_all = inserted == sum(len(contents.lines) for contents in portion)
    if is_all:
        _choose_events(con, "true")  # so it need not be asked again
    with seconds.looking_at_fields():
        notes.note(call)
    # Counted from what was in the file, not from what was inserted: the two are compared later.
    _count_lines(con, "event_counts", "events", f"'{call}'")
    unusable = Counter() if is_all else _reject_unusable(con, call)
    con.execute("drop view usable_events")
    con.unregister("events")
    return unusable


def _choose_events(con: duckdb.DuckDBPyConnection, which: str) -> None:
    """Call some of the events usable: a view, as the rows stay in Arrow's memory."""
    con.execute(
        f"""
        create or replace temp view usable_events as
        select * replace ({RECEIVED_AT} as received_at) from events where {which}
        """  # noqa: S608 - a condition of our own
    )


def _reject_unusable(con: duckdb.DuckDBPyConnection, call: str) -> Counter[str]:
    con.execute(
        f"""
        insert into raw.rejected by name
        select
            * exclude (payload) replace ({RECEIVED_AT} as received_at), ? as call,
            if(json_valid(payload), 'bad_received_at', 'bad_json') as reason,
            encode(payload) as body
        from events where not ({_USABLE})
        """,  # noqa: S608 - our own words
        [call],
    )
    counted = con.execute(
        f"select file, count(*) from events where not ({_USABLE}) group by file"  # noqa: S608
    ).fetchall()
    return Counter(dict(counted))


def _insert_rejects(con: duckdb.DuckDBPyConnection, portion: list[Contents]) -> None:
    if not any(contents.rejects for contents in portion):
        return
    con.register("rejects", rejects_table(portion))
    con.execute(
        f"""
        insert into raw.rejected by name
        select * replace ({RECEIVED_AT} as received_at) from rejects
        """  # noqa: S608 - as above
    )
    _count_lines(con, "raw.landed_count", "rejects", "call")
    con.unregister("rejects")


def _count_lines(con: duckdb.DuckDBPyConnection, counts: str, lines: str, call: str) -> None:
    """Note how many lines were in the files, before it is known what becomes of them."""
    con.execute(
        f"""
        insert into {counts}
        select load_id, coalesce({call}, '{UNKNOWN}'), coalesce(source, '{UNKNOWN}'), {HOUR},
            count(*)
        from (select * replace ({RECEIVED_AT} as received_at) from {lines})
        group by all
        """  # noqa: S608 - our own words
    )


def _insert_ledger(
    con: duckdb.DuckDBPyConnection,
    portion: list[Contents],
    unusable: Counter[str],
    loaded_at: Mapping[int, datetime],
) -> None:
    ledger = [
        {
            "file": one.file.name,
            "call": one.file.call,
            "bytes": one.bytes,
            "sha256": one.sha256,
            "rows": len(one.lines) - unusable[one.file.name],
            "rejected": len(one.rejects) + unusable[one.file.name],
            "load_id": one.load_id,
            "loaded_at": loaded_at[one.load_id],
        }
        for one in portion
    ]
    con.register("ledger", pa.Table.from_pylist(ledger))
    con.execute("insert into raw.landed_file by name from ledger")
    con.unregister("ledger")


def events_table(portion: list[Contents]) -> pa.Table:
    """The good lines of several files, each with its load and its file's name."""
    columns = [
        pa.array(chain.from_iterable(getattr(one.lines, name) for one in portion), kind)
        for name, kind in _LINE.items()
    ]
    columns[_PAYLOAD] = columns[_PAYLOAD].cast(_TEXT)
    counts = [len(one.lines) for one in portion]
    for values, kind in (
        ([one.load_id for one in portion], pa.int64()),
        ([one.file.name for one in portion], _TEXT),
    ):
        repeated = (repeat(*each) for each in zip(values, counts, strict=True))
        columns.append(pa.array(chain.from_iterable(repeated), kind))
    return _in_batches(pa.table(columns, _EVENT_SCHEMA))


def rejects_table(portion: list[Contents]) -> pa.Table:
    """What cannot be used of several files, each with its load and its file's name."""
    rows = [(*line, one.load_id, one.file.name) for one in portion for line in one.rejects]
    return _in_batches(table_of(rows, _REJECT_SCHEMA))


def _in_batches(table: pa.Table) -> pa.Table:
    """The same, cut: DuckDB reads one batch with one core, and several beside each other."""
    return pa.Table.from_batches(table.to_batches(_BATCH_ROWS), table.schema)


def table_of(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(column, of.type) for column, of in zip(columns, schema, strict=True)], schema
    )


def known_checksums(con: duckdb.DuckDBPyConnection, names: list[str]) -> dict[str, str]:
    """What the ledger has of some files: name → SHA-256."""
    con.register("portion", pa.table({"file": pa.array(names, _TEXT)}))
    found = con.execute(
        "select distinct file, sha256 from raw.landed_file semi join portion using (file)"
    ).fetchall()
    con.unregister("portion")
    return dict(found)


def files_of_hour(con: duckdb.DuckDBPyConnection, call: str, hour: str) -> set[str]:
    """The files of a call in the ledger whose names begin with an hour."""
    found = con.execute(
        f"""
        select file from raw.landed_file
        where call = $1 and starts_with(file, $2) and not ({IS_RETRY})
        """,  # noqa: S608 - our own words
        [call, hour],
    ).fetchall()
    return {file for (file,) in found}


def highest_load(con: duckdb.DuckDBPyConnection) -> int:
    """The number of the last load that was done, or done again; 0 before the first."""
    return number(
        con,
        "select max(load_id) from "
        "(select load_id from raw.landed_file union all select load_id from raw.restored)",
    )
