"""The fields of erased events: what columns there are does not change with an erasure.

Which columns the tables have, and in which order, comes of the events that were seen first. That
some were erased must not turn the columns of everybody else round, neither now nor when the
warehouse is made again from the files; so their fields, without any value, are kept: in
`raw.erased_field`, and beside the files. Names that hold an id of the person are left out.
"""

from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from orchestration.loading.durable import write_whole
from orchestration.loading.fields import add_fields, note_fields
from orchestration.loading.people import People
from orchestration.loading.suppressed import FOLDER
from orchestration.loading.tables import CALLS

_FILE = "fields.ndjson"


def keep_fields(con: duckdb.DuckDBPyConnection, people: People) -> None:
    """Note the fields of the events in `erased`, in an open transaction, before they go."""
    for call in CALLS:
        con.execute(
            f"""
            create or replace temp view usable_events as
            select events.* from raw."{call}" as events
            semi join (from erased where table_name = '{call}') as gone using (file, line)
            """
        )
        noted = note_fields(con, call)
        con.register("noted", noted)
        con.register("ids", pa.table({"text": pa.array([one.text for one in people.ids])}))
        con.execute(
            """
            insert into raw.erased_field by name
            select * from noted where not exists (
                from ids where contains(path, text) or contains(coalesce(event, ''), text)
            )
            """
        )
        con.unregister("noted")
        con.unregister("ids")
        con.execute("drop view usable_events")


def names_of_nobody_else(con: duckdb.DuckDBPyConnection, people: People) -> list[str]:
    """Take out of `raw.field` names that hold an id and that no event has any more.

    Returns:
        The calls that had such names, and so columns or relations called by them.
    """
    con.register("ids", pa.table({"text": pa.array([one.text for one in people.ids])}))
    con.execute(
        """
        create or replace temp table named as
        select distinct call from raw.field where exists (
            from ids where contains(path, text) or contains(coalesce(event, ''), text)
        )
        """
    )
    calls = [call for (call,) in con.execute("from named order by all").fetchall()]
    changed = []
    for call in calls:
        con.execute(
            f"""
            create or replace temp view usable_events as
            from raw."{call}" where exists (from ids where contains(payload::varchar, text))
            """
        )
        con.register("kept", note_fields(con, call))
        gone = con.execute(
            """
            delete from raw.field where call = $1 and exists (
                from ids where contains(path, text) or contains(coalesce(event, ''), text)
            ) and not exists (
                from kept where kept.keys = raw.field.keys
                    and kept.event is not distinct from raw.field.event
            )
            """,
            [call],
        ).fetchone()
        if gone and gone[0]:
            changed.append(call)
        con.unregister("kept")
        con.execute("drop view usable_events")
    con.unregister("ids")
    return changed


def export_fields(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Write `raw.erased_field` beside the files, for a warehouse that is made again."""
    result = con.execute("from raw.erased_field order by all")
    names = [column[0] for column in result.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    lines = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
    write_whole(landing / FOLDER / _FILE, lines)


def bring_back_fields(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Give a warehouse that has none the fields of events that were erased."""
    path = landing / FOLDER / _FILE
    if not path.exists() or con.execute("from raw.erased_field limit 1").fetchone():
        return
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]
    if not rows:
        return
    con.register("kept", pa.Table.from_pylist(rows))
    con.execute(
        "insert into raw.erased_field by name select * replace "
        "(first_seen::timestamp as first_seen, last_seen::timestamp as last_seen) from kept"
    )
    con.unregister("kept")
    add_fields(con, [con.execute("from raw.erased_field").fetch_arrow_table()])
