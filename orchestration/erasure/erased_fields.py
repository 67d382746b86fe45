"""The fields of erased events: what columns there are does not change with an erasure.

Which columns the tables have, and in which order, comes of the events that were seen first. That
some were erased must not turn the columns of everybody else round, neither now nor when the
warehouse is made again from the files; so their fields, without any value, are kept: in
`raw.erased_field`, and beside the files. Names that hold an id of the person are left out.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa

from landed.folders import CALLS, SUPPRESSED
from orchestration.durable_files import write_whole
from orchestration.loading.field_rows import FIELD, add_fields, add_up_fields, additions
from orchestration.loading.fields import note_fields
from orchestration.loading.people import People
from orchestration.warehouse.catalog import number
from orchestration.warehouse.raw_tables import COLUMNS
from orchestration.warehouse.rewrite import write_anew
from orchestration.warehouse.transaction import transaction

_FILE = "fields.ndjson"

Name = tuple[str | None, tuple[str, ...]]
"""A field's name: its event, if it has one, and its keys."""


def keep_fields(con: duckdb.DuckDBPyConnection, people: People) -> bool:
    """Note the fields of the events in `erased`, in an open transaction, before they go.

    Returns:
        Whether one is among them that no earlier event had.
    """
    has_new = False
    erased = con.execute("select distinct table_name from erased order by all").fetchall()
    for call in (table for (table,) in erased if table in CALLS):
        noted = _fields_of(
            con,
            call,
            f"""
            select events.* from raw."{call}" as events
            semi join (from erased where table_name = '{call}') as gone using (file, line)
            """,
        )
        is_kept = [not _texts_with_an_id(people, *name) for name in _names_in(noted)]
        con.register("noted", noted.filter(pa.array(is_kept, pa.bool_())))
        query = f"select {FIELD} from noted except select {FIELD} from raw.erased_field limit 1"
        has_new |= bool(con.execute(query).fetchone())
        con.execute("insert into raw.erased_field by name select * from noted")
        con.unregister("noted")
    return has_new


def names_of_nobody_else(con: duckdb.DuckDBPyConnection, people: People) -> list[str]:
    """Take out names that hold an id and that no event has any more.

    Out of `raw.field`, and of what earlier erasures kept: those did not know the id for one.

    Returns:
        The calls that `raw.field` had such names of, and so columns or relations called by them.
    """
    found: dict[str, dict[Name, list[str]]] = defaultdict(dict)
    for call, event, keys in con.execute(
        """
        select call, event, keys from raw.field
        union select call, event, keys from raw.erased_field order by all
        """
    ).fetchall():
        if texts := _texts_with_an_id(people, event, keys):
            found[call][event, tuple(keys)] = texts
    return [call for call, names in found.items() if _take_out(con, call, names)]


def _texts_with_an_id(people: People, event: str | None, keys: Iterable[str]) -> list[str]:
    """The parts of a field's name in which an id stands for itself: `u` does not in `userId`."""
    texts = [*keys, event] if event is not None else keys
    return [text for text in texts if people.stand_in(text.encode("utf-8", "surrogatepass"))]


def _take_out(con: duckdb.DuckDBPyConnection, call: str, names: dict[Name, list[str]]) -> bool:
    """Take those names out that no event of a call has any more.

    Args:
        con: The warehouse, in a transaction.
        call: The call.
        names: Names, and what of each holds an id.

    Returns:
        Whether there were any in `raw.field`.
    """
    spelled = {form for texts in names.values() for text in texts for form in _in_json(text)}
    con.register("spelled", pa.table({"text": pa.array(sorted(spelled), pa.large_string())}))
    kept = _fields_of(
        con,
        call,
        f'from raw."{call}" where exists (from spelled where contains(payload::varchar, text))',
    )
    con.unregister("spelled")
    gone = sorted(names.keys() - set(_names_in(kept)), key=str)
    if not gone:
        return False
    events, keys = zip(*gone, strict=True)
    texts = pa.large_string()
    con.register(
        "gone",
        pa.table({"of_event": pa.array(events, texts), "name": pa.array(keys, pa.list_(texts))}),
    )
    is_gone = f"""
        call = '{call}' and exists (
            from gone where name = keys and of_event is not distinct from event
        )
    """
    is_listed = number(con, f"delete from raw.field where {is_gone}") > 0
    if number(con, f"select count(*) from raw.erased_field where {is_gone}"):
        # at once: it may be that no table is built anew, which would do it
        write_anew(con, "raw.erased_field", None, is_gone)
    con.unregister("gone")
    return is_listed


def _fields_of(con: duckdb.DuckDBPyConnection, call: str, events: str) -> pa.Table:
    """What `note_fields` finds in the events of a call that a query gives."""
    con.execute(f"create or replace temp view usable_events as {events}")
    noted = note_fields(con, call, lists_new=False)
    con.execute("drop view usable_events")
    return noted


def _names_in(noted: pa.Table) -> Iterator[Name]:
    keys = map(tuple, noted["keys"].to_pylist())
    return zip(noted["event"].to_pylist(), keys, strict=True)


def _in_json(text: str) -> set[str]:
    """How a text may be written in an event."""
    forms = {json.dumps(text, ensure_ascii=is_ascii)[1:-1] for is_ascii in (True, False)}
    return forms | {form.replace("/", "\\/") for form in forms}


def export_fields(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Add `raw.erased_field` up, and write it beside the files, for a warehouse that is made again.

    The file is written only if it differs; what a death left out of it is written by the next.
    """
    if additions(con, "raw.erased_field"):
        with transaction(con):
            add_up_fields(con, "raw.erased_field")
    rows = con.execute("select to_json(f)::varchar from raw.erased_field as f order by all")
    lines = "".join(f"{line}\n" for (line,) in rows.fetchall()).encode()
    path = landing / SUPPRESSED / _FILE
    if lines != (path.read_bytes() if path.exists() else b""):
        write_whole(path, lines)


def bring_back_fields(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Give a warehouse that has none the fields of events that were erased."""
    path = landing / SUPPRESSED / _FILE
    if not path.exists() or con.execute("from raw.erased_field limit 1").fetchone():
        return
    con.execute(
        "insert into raw.erased_field by name "
        "from read_json($1, format => 'newline_delimited', columns => $2)",
        [str(path), dict(column.split() for column in COLUMNS["raw.erased_field"].split(","))],
    )
    add_fields(con, [con.execute("from raw.erased_field").to_arrow_table()])
