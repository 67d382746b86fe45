"""Years of events in a warehouse, written at once: what loads of them would have left there.

A round is what a load of 10,000 events leaves: a file and a ledger line for each call, the counts,
raw rows and final rows. Its rows are those of some events that were really loaded, with ids, times
and places of their own, which raw and final table have alike (tests/benchmarks/test_history.py).
"""

from datetime import datetime, timedelta
from hashlib import md5

import duckdb

from benchmarks.landed_events import SHARES
from orchestration.loading import journal
from orchestration.loading.insert import highest_load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock

ROUND = 10_000
EVERY = timedelta(minutes=30)
"""From one round to the next: 14 million events a month."""

BEGIN = datetime(2026, 1, 5, 9)  # noqa: DTZ001 - UTC, as the warehouse has it
"""The newest round; each further one is before it."""

PAYLOADS = 100
"""So many different events of a call come again and again, so that a disk holds the history."""

_CHUNK = 100
"""Rounds in a transaction: rows enough for whole Parquet files, as upkeep makes them."""

SHARE = ROUND // sum(SHARES.values())

_MESSAGE_ID = "'ajs-next-' || md5(format('{:x}.{:x}.{}', history.round, history.number, $call))"
_RECEIVED = (
    f"timestamp '{BEGIN}' - to_minutes({int(EVERY.total_seconds() // 60)} * history.round) "
    "+ to_milliseconds(history.number)"
)
_FILE = (
    f"strftime(timestamp '{BEGIN}' - to_minutes({int(EVERY.total_seconds() // 60)} * "
    "history.round), '%Y%m%dT%H%M%S') "
    "|| format('-history-{}-00000000-{:06d}.ndjson', $call, history.round)"
)

_RAW = {
    "message_id": _MESSAGE_ID,
    "received_at": _RECEIVED,
    "load_id": "$before + history.round",
    "file": _FILE,
    "line": "history.number + 1",
    # a tenth comes from a server, as not all do who load events
    "credential": "if(history.number % 10 = 0, 'server', 'browser')",
}
_FINAL = {
    "message_id": _MESSAGE_ID,
    "received_at": _RECEIVED,
    "timestamp": _RECEIVED,  # as the payloads' own clocks are another hour's
    "_sdc_received_at": _RECEIVED,
    "_sdc_batched_at": _RECEIVED,
    "_sdc_sequence": f"epoch_us({_RECEIVED}) * 1000 + (history.number + 1) % 1000",
    "_seamline_load_id": _RAW["load_id"],
    "_seamline_file": _FILE,
    "_seamline_line": _RAW["line"],
    "_seamline_credential": _RAW["credential"],
}


def write_history(settings: Settings, first: int, until: int) -> None:
    """Write rounds of history into a warehouse that has loaded some events.

    Args:
        settings: Where it is.
        first: How many rounds it has.
        until: How many it is to have.
    """
    with writer_lock(settings), connect(settings) as con:
        for call in SHARES:
            _choose_templates(con, call)
            final = f'"{settings.schema_name}"."{call}"'
            con.execute(
                f"""
                create or replace temp table "final_{call}" as
                select final.*, number from {final} as final
                join "first_{call}" on file = _seamline_file and line = _seamline_line
                """
            )
        for begin in range(first, until, _CHUNK):
            with transaction(con):
                _write_rounds(con, settings, begin, min(begin + _CHUNK, until))
        journal.catch_up(con, settings.landing)


def message_id(call: str, of_round: int, number: int) -> str:
    """The id of an event of the history."""
    key = f"{of_round:x}.{number:x}.{call}"
    return "ajs-next-" + md5(key.encode(), usedforsecurity=False).hexdigest()


def payloads(con: duckdb.DuckDBPyConnection, call: str) -> list[bytes]:
    """What the events of a call in the history say, again and again, by their number."""
    _choose_templates(con, call)
    rows = con.execute(f'select payload from "first_{call}" order by number').fetchall()
    return [payload.encode() for (payload,) in rows]


def _choose_templates(con: duckdb.DuckDBPyConnection, call: str) -> None:
    """Keep the first events of a call that were really loaded, and are rows, with a number each."""
    con.execute(
        f"""
        create or replace temp table "first_{call}" as
        select first.*, row_number() over (order by file, line) - 1 as number
        from (
            from raw."{call}" where load_id = 1
            qualify row_number() over (partition by message_id order by received_at, line) = 1
        ) as first
        order by number
        limit {PAYLOADS}
        """
    )


def _write_rounds(con: duckdb.DuckDBPyConnection, settings: Settings, begin: int, end: int) -> None:
    before = highest_load(con) + 1 - begin
    for call, share in SHARES.items():
        where = {"before": before, "call": call}
        history = (
            f"(select i.range as round, j.range as number "
            f"from range({begin}, {end}) as i, range({share * SHARE}) as j) as history"
        )
        for table, kept, values in (
            (f'raw."{call}"', f"first_{call}", _RAW),
            (f'"{settings.schema_name}"."{call}"', f"final_{call}", _FINAL),
        ):
            columns = _columns_in_order(con, table)
            chosen = ", ".join(values.get(name, f'template."{name}"') for name in columns)
            names = ", ".join(f'"{name}"' for name in columns)
            con.execute(
                f"""
                insert into {table} ({names})
                select {chosen} from {history}
                join "{kept}" as template
                    on template.number = history.number
                    % (select count(*) from "{kept}")
                """,
                {name: value for name, value in where.items() if f"${name}" in chosen},
            )
        _write_ledger(con, call, share * SHARE, begin, end, before)


def _columns_in_order(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    con.execute(f"select * from {table} limit 0")
    return [name for name, *_ in con.description or ()]


def _write_ledger(
    con: duckdb.DuckDBPyConnection, call: str, events: int, begin: int, end: int, before: int
) -> None:
    """The ledger's line of each file, the count of its lines, and what became of them."""
    con.execute(
        f"""
        create or replace temp table history_files as
        select
            {_FILE} as file, $call as call, 1300 * {events} as bytes,
            sha256(format('{{}} {{}}', $call, round)) as sha256, {events} as rows, 0 as rejected,
            $before + round as load_id,
            timestamp '{BEGIN}' - to_minutes({int(EVERY.total_seconds() // 60)} * round)
                as loaded_at
        from (select range as round from range({begin}, {end})) as history
        """,
        {"call": call, "before": before},
    )
    con.execute("insert into raw.landed_file by name from history_files")
    con.execute(
        """
        insert into raw.landed_count
        select load_id, call, 'web', date_trunc('hour', loaded_at), rows from history_files
        """
    )
    con.execute(
        """
        insert into raw.completeness by name
        select
            call, 'web' as source, date_trunc('hour', loaded_at) as hour,
            sum(rows)::bigint as received, received as loaded, 0 as rejected, 0 as waiting,
            received as rows, 0 as duplicate, 0 as folded, 0 as unread_times, 0 as conflicting,
            max(loaded_at) as counted_at, max(load_id) as counted_load_id
        from history_files group by all
        """
    )
