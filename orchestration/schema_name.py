"""The schema of the final tables is the integration's name, and stays it once there is data.

A name that changes silently would leave the tables people query where they are, no longer filled,
and begin empty ones beside them. So it is refused, and moving is a command.
"""

import duckdb

from orchestration.loading.lake import macros, tables, views
from orchestration.settings import Settings

PARTS = ("", "_staging", "_warehouse")
"""What the names of its three schemas end with."""


class SchemaMovedError(Exception):
    """The tables are in another schema than the settings say; the text says what to do."""


def other_schemas(con: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Schemas that hold final tables, other than the one that is set."""
    staged = views(con)
    return sorted(
        other
        for other, table in tables(con)
        if table == "track"
        and other != schema
        and (f"{other}_staging", "stg_segment__track") in staged
    )


def refuse_another_name(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Refuse to begin new tables while others have data.

    Raises:
        SchemaMovedError: there are some.
    """
    for schema in other_schemas(con, settings.schema_name):
        raise SchemaMovedError(
            f"The tables are in the schema {schema!r}, and SEAMLINE_INTEGRATION_NAME is "
            f"{settings.integration_name!r}, which gives {settings.schema_name!r}. Nothing was "
            f"changed. Set the name back, or move the tables with `make rename`: it builds them "
            f"anew from raw and then drops {schema!r}."
        )


def drop_others(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Drop the tables and views of other names, once their successors are built.

    Returns:
        The names whose schemas are gone.
    """
    others = other_schemas(con, settings.schema_name)
    kinds = {"table": tables(con), "view": views(con)}
    with_macros = {owner for owner, _ in macros(con)}
    for schema in others:
        for part in reversed(PARTS):
            left = f"{schema}{part}" in with_macros  # none of them is ours
            for kind in ("view", "table"):
                for owner, name in sorted(kinds[kind]):
                    if owner != f"{schema}{part}":
                        continue
                    if (f"{settings.schema_name}{part}", name) in kinds[kind]:
                        con.execute(f'drop {kind} "{owner}"."{name.replace(chr(34), chr(34) * 2)}"')
                    else:
                        left = True  # not one of ours: it has no successor
            if not left:
                con.execute(f'drop schema if exists "{schema}{part}"')
    return others
