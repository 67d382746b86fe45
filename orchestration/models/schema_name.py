"""The schema of the final tables is the integration's name, and stays it once there is data.

A name that changes silently would leave the tables people query where they are, no longer filled,
and begin empty ones beside them. So it is refused, and moving is a command. One that ended half way
has left tables under both names, and with either one nothing goes on until a move has ended:
loads and erasures that knew of one alone would leave the other as it was.
"""

import re
from collections.abc import Collection

import duckdb

from landed.errors import ReportedError
from landed.folders import CALLS
from landed.settings import DATABASES
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in, full_name, macros, now, tables, views
from orchestration.warehouse.transaction import transaction

PARTS = ("", "_staging", "_warehouse", "_marts")
"""What the names of its four schemas end with."""

OWN_COLUMNS = {"message_id", "_seamline_load_id", "_seamline_file", "_seamline_line"}
"""Columns of every final table, by which one is told from a user's of its name."""

_STAGING = "stg_segment__"


class SchemaMovedError(ReportedError):
    """The tables are in another schema than the settings say; the text says what to do."""


def _schemas(con: duckdb.DuckDBPyConnection, but: str | None = None) -> set[str]:
    """Schemas with tables of a name, or what there is of them: their staging views come first.

    dbt gives a user's own models on Segment's data such names too, in a schema such as
    `analytics_staging`: ours read `raw`, and a table beside one has our columns.
    """
    rows = con.execute(
        f"""
        select schema_name, view_name, sql
        from {now("view")} join {now("schema")} using (schema_id)
        where ends_with(schema_name, '_staging') and starts_with(view_name, '{_STAGING}')
            and schema_name is distinct from $1
        """,  # noqa: S608 - our own words
        [but and f"{but}_staging"],
    ).fetchall()
    return {
        schema
        for owner, view, sql in rows
        if (call := view.removeprefix(_STAGING)) in CALLS and _is_own_view(sql, call)
        if (columns := columns_in(con, schema := owner.removesuffix("_staging")).get(call)) is None
        or columns >= OWN_COLUMNS
    }


def _is_own_view(sql: str, call: str) -> bool:
    """Whether a query, as DuckDB writes it out, makes rows of final tables from raw ones."""
    reads_raw = re.search(rf"\bFROM (\S+\.)?raw\.(\"{call}\"|{call}\b)", sql)
    return reads_raw is not None and " AS _seamline_load_id" in sql


def other_schemas(con: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Schemas that hold final tables, all or some, other than the one that is set."""
    return sorted(_schemas(con, but=schema))


def refuse_another_name(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Refuse to begin new tables while others have data, or to go on with one of two.

    Raises:
        SchemaMovedError: there are some.
    """
    wanted = settings.schema_name
    for schema in other_schemas(con, wanted):
        if wanted in _schemas(con):
            raise SchemaMovedError(
                f"There are tables in {schema!r} as well as in {wanted!r}, as a move between them "
                f"has not ended. No table was changed. `make rename` brings those in {wanted!r} up "
                f"to date from raw and drops {schema!r}. To keep {schema!r} instead, set the name "
                "back and then run `make rename`."
            )
        back = "Move" if schema in DATABASES else "Set the name back, or move"
        raise SchemaMovedError(
            f"The tables are in the schema {schema!r}, and SEAMLINE_INTEGRATION_NAME is "
            f"{settings.integration_name!r}, which gives {wanted!r}. No table was "
            f"changed. {back} the tables with `make rename`: it builds them "
            f"anew from raw and then drops {schema!r}."
        )


def drop_others(
    con: duckdb.DuckDBPyConnection, settings: Settings, ours: Collection[tuple[str, str]]
) -> list[str]:
    """Drop the tables and views of other names, once their successors are built: all, or none.

    Args:
        con: for writing.
        settings: which name stays.
        ours: schema and name of what the models have made; all else stays where it is.

    Returns:
        The names whose schemas are gone.
    """
    others = other_schemas(con, settings.schema_name)
    with transaction(con):
        for schema in others:
            for part in reversed(PARTS):
                _drop(con, f"{schema}{part}", f"{settings.schema_name}{part}", ours)
    return others


def _drop(
    con: duckdb.DuckDBPyConnection, schema: str, successor: str, ours: Collection[tuple[str, str]]
) -> None:
    """Drop what is ours and has a successor of its name and kind, and a schema that is empty."""
    is_left = any(owner == schema for owner, _ in macros(con))
    for kind, relations in (("view", views(con)), ("table", tables(con))):
        for name in sorted(name for owner, name in relations if owner == schema):
            if (schema, name) in ours and (successor, name) in relations:
                con.execute(f"drop {kind} {full_name(schema, name)}")
            else:
                is_left = True
    if not is_left:
        con.execute(f"drop schema if exists {full_name(schema)}")
