"""The tables of fields: rows for what loads have noted, added up and bounded."""

import duckdb
import pyarrow as pa

from orchestration.loading import field_budget
from orchestration.loading.field_budget import Noted
from orchestration.loading.field_paths import path_text
from orchestration.warehouse.catalog import number

ADDITIONS = 1_000
"""Rows more than fields in `raw.field` before it is written anew."""

_ADDED_UP = """
    select
        * exclude (first_place),
        first_place.load_id as first_load_id,
        first_place.file as first_file,
        first_place.line as first_line
    from (
        select
            source, call, event, path, keys, type,
            sum(count)::bigint as count,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen,
            min(struct_pack(
                load_id := first_load_id, file := first_file, line := first_line
            )) as first_place,
            max(last_load_id) as last_load_id
        from {table}
        group by all
    )
"""

FIELD = "source, call, event, path, type"
"""What tells one field from another; rows that say the same of it add up."""

_NOTED = pa.schema(
    {
        "source": pa.large_string(),
        "call": pa.string(),
        "event": pa.large_string(),
        "path": pa.large_string(),
        "keys": pa.list_(pa.large_string()),
        "type": pa.string(),
        "count": pa.int64(),
        "first_load_id": pa.int64(),
        "first_file": pa.string(),
        "first_line": pa.int64(),
        "first_seen": pa.timestamp("us"),
        "last_seen": pa.timestamp("us"),
        "last_load_id": pa.int64(),
    }
)


def field_rows(call: str, seen: Noted) -> pa.Table:
    """The rows of the fields of one call."""
    rows = (
        (source, call, event, path_text(keys), keys, kind, count, *first, *when)
        for (source, event, keys, kind), (count, first, *when) in seen.items()
    )
    return pa.Table.from_pylist([dict(zip(_NOTED.names, row, strict=True)) for row in rows], _NOTED)


def add_fields(con: duckdb.DuckDBPyConnection, noted: list[pa.Table]) -> None:
    """Add what a load noted to `raw.field`: rows behind those there are, whose counts add up.

    Once in a while the sum of all is written in their place, so that they do not become many.
    """
    rows = pa.concat_tables(noted) if noted else []
    if not len(rows):
        return
    con.register("noted", rows)
    con.execute("insert into raw.field by name select * from noted order by all")
    con.unregister("noted")
    if additions(con, "raw.field") > ADDITIONS:
        add_up_fields(con)


def additions(con: duckdb.DuckDBPyConnection, table: str) -> int:
    """How many rows more than fields a table of fields has."""
    return number(con, f"select count(*) - count(distinct ({FIELD})) from {table}")  # noqa: S608


def add_up_fields(con: duckdb.DuckDBPyConnection, table: str = "raw.field") -> None:
    """Write one row in the place of all that say the same of a field."""
    con.execute(f"create or replace temp table added_up as {_ADDED_UP.format(table=table)}")
    con.execute(f"delete from {table}")  # noqa: S608 - our own words
    con.execute(f"insert into {table} by name from added_up order by all")
    con.execute("drop table added_up")


def bound_fields(con: duckdb.DuckDBPyConnection) -> None:
    """Bound what an earlier version listed without end: events times properties.

    In an open transaction. What is beyond is listed for all events together, as it would be now.
    """
    con.execute(
        """
        create or replace temp table bounded as
        select * exclude (place) replace (if(place > $1, null, event) as event) from (
            select *, if(event is not null, row_number() over (
                order by
                    event is null, path <> 'event',
                    first_load_id, first_file, first_line, event, path, type
            ), 0) as place
            from raw.field
        )
        """,
        [field_budget.MAX_EVENT_FIELDS],
    )
    con.execute("delete from raw.field")
    con.execute("insert into raw.field by name from bounded")
    con.execute("drop table bounded")
    add_up_fields(con)
