"""A look at the tables that users have made themselves: an erasure names those with a person in."""

from collections.abc import Iterator

import duckdb

from landed.folders import CALLS
from orchestration.columns.update import TABLES as COLUMN_TABLES
from orchestration.loading.people import People
from orchestration.settings import Settings
from orchestration.warehouse.catalog import full_name, quoted, tables
from orchestration.warehouse.raw_tables import COLUMNS as RAW_TABLES

_RAW = {name.removeprefix("raw.").strip('"') for name in RAW_TABLES}
_NESTED = ("STRUCT", "MAP", "UNION")
_WHOLE_NUMBERS = {"BIGINT", "HUGEINT", "INTEGER", "UBIGINT", "UHUGEINT", "UINTEGER"}


def rows_left(con: duckdb.DuckDBPyConnection, settings: Settings, people: People) -> dict[str, int]:
    """Count the rows that have an id of these people, in tables that an erasure does not rewrite.

    An id counts as a value of a column, and as a string in JSON or in a nested value.

    Returns:
        Schema and name of each table with such rows → how many.
    """
    ids = sorted({one.text for one in people.ids})
    if not ids:
        return {}
    counted = {
        f"{schema}.{name}": _count(con, full_name(schema, name), ids)
        for schema, name in sorted(tables(con))
        if not _is_ours(settings, schema, name)
    }
    return {table: rows for table, rows in counted.items() if rows}


def _is_ours(settings: Settings, schema: str, name: str) -> bool:
    """Whether an erasure rewrites a table: ours, or a final one of a call."""
    if schema == settings.schema_name:
        return name in CALLS
    return name in {"raw": _RAW, "columns": COLUMN_TABLES}.get(schema, ())


def _count(con: duckdb.DuckDBPyConnection, table: str, ids: list[str]) -> int:
    conditions = " or ".join(_conditions(con, table))
    if not conditions:
        return 0
    query = f"select count(*) from {table} where {conditions}"
    ((rows,),) = con.execute(query, {"ids": ids}).fetchall()
    return int(rows)


def _conditions(con: duckdb.DuckDBPyConnection, table: str) -> Iterator[str]:
    is_in = "list_contains($ids, cast({} as varchar))"
    has_in_quotes = (
        "list_bool_or(list_transform($ids, lambda id: contains({}, to_json(id)::varchar)))"
    )
    columns = con.execute(f"select column_name, column_type from (describe {table})").fetchall()
    for name, kind in columns:
        column = quoted(name)
        if kind in _WHOLE_NUMBERS or kind == "VARCHAR":
            yield is_in.format(column)
        elif kind in ("DOUBLE", "FLOAT"):  # an id that is a number, beside fractions
            whole = f"try_cast({column} as hugeint)"
            yield f"{whole} = {column} and {is_in.format(whole)}"
        if kind in ("VARCHAR", "JSON"):
            yield has_in_quotes.format(column)
        elif kind.startswith(_NESTED) or kind.endswith("]"):
            yield has_in_quotes.format(f"cast(to_json({column}) as varchar)")
