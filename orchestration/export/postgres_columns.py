"""The columns of an exported table in PostgreSQL: made, added, changed and dropped."""

from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from orchestration.export.changes import RECEIVED_AT, Changes, Exported
from orchestration.export.names import MORE, own_columns
from orchestration.export.postgres_database import Database
from orchestration.export.postgres_state import LEFT_OUT, PostgresState, note
from orchestration.export.postgres_values import TYPES
from orchestration.warehouse.catalog import literal, quoted

MOST_COLUMNS = 1_600
"""Of a table in all its life: those that were dropped count."""

_SHORT = {
    "timestamp without time zone": "timestamp",
    "character varying": "text",
}


@dataclass(frozen=True)
class Columns:
    """The columns of a table there: those of their own, and of these those of an older type."""

    own: dict[str, str]
    old: dict[str, str]


def columns_there(database: Database, table: str) -> dict[str, str]:
    """The columns of a table there, with their types; none if there is no such table.

    Raises:
        ExportFailedError: the database does not say.
    """
    query = (
        "select column_name::text, data_type::text from information_schema.columns "  # noqa: S608 - quoted
        f"where table_schema = {literal(database.schema)} and table_name = {literal(table)}"
    )
    with database.told():
        rows = database.ask(query)
    return {name: _SHORT.get(kind, kind) for name, kind in rows}


def forget_lost(known: PostgresState, columns: Collection[str], there: Collection[str]) -> None:
    """Have all parts written again if somebody has removed a column there.

    Args:
        known: What was exported; changed.
        columns: The columns that the table has here.
        there: Those that it has there.
    """
    lost = {
        column for column, name in known.names.items() if column in columns and name not in there
    }
    for column in lost:
        known.columns.pop(column, None)
        del known.names[column]
    if lost or MORE not in there:
        known.parts = dict.fromkeys(known.parts, LEFT_OUT)


def is_in_place(was: str, kind: str) -> bool:
    """Whether PostgreSQL gives a column another type with its values."""
    return (was, kind) == ("int64", "float64")


def make_columns(
    database: Database,
    table: str,
    found: Changes,
    known: PostgresState,
    there: dict[str, str],
    done: Exported,
) -> Columns:
    """Make a table with its indexes, or give it the columns that it is to have now.

    A view may keep a column from going, or from having another type: that is told, and the rest is
    done.

    Args:
        database: Where it is.
        table: The table.
        found: What is to be exported of it.
        known: What was exported; it knows the columns then, and that is noted.
        there: The columns there, with their types.
        done: What was done with it; it has what was not possible then.

    Returns:
        The columns that are to be filled.
    """
    name = database.name(table)
    old = {
        column: kind
        for column, kind in known.columns.items()
        if column in known.names
        and found.columns.get(column, kind) != kind
        and not _alter(
            database, name, known.names[column], kind, found.columns[column], there, done
        )
    }
    kept = {}
    for column in known.names.keys() - found.columns.keys():
        gone = known.names[column]
        if gone in there and not _try(database, name, gone, f"drop column {quoted(gone)}", done):
            kept[column] = gone
    room = _room(database, table, there)
    own = own_columns(table, found.columns, known.columns, known.names | kept, there, room)
    before = (known.columns, known.names)
    known.columns = found.columns | old
    known.names = own | kept
    kinds = {own[column]: TYPES.get(found.columns[column], "text") for column in own}
    kinds[MORE] = "json"
    if kinds.keys() - there.keys() or before != (known.columns, known.names):
        # whose rows are to be written though they may be the same
        rewritten = [start for start in found.changed if start in known.parts]
        known.parts |= dict.fromkeys(rewritten, LEFT_OUT)
        with database.transaction():
            if there:
                for column, kind in kinds.items():
                    if column not in there:
                        database.do(f"alter table {name} add column {quoted(column)} {kind}")
            else:
                _create(database, name, kinds)
            note(database, table, known, rewritten)
    return Columns(own, old)


def _create(database: Database, name: str, kinds: dict[str, str]) -> None:
    listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in kinds.items())
    database.do(f"create table {name} ({listed})")
    # an index takes 2,700 bytes, and an id may have more; two may have one MD5
    database.do(f"create unique index on {name} (md5(message_id), hashtextextended(message_id, 0))")
    database.do(f"create index on {name} ({RECEIVED_AT})")


def _alter(
    database: Database,
    name: str,
    column: str,
    was: str,
    kind: str,
    there: dict[str, str],
    done: Exported,
) -> bool:
    """Give a column another type, in place if values stay; whether it has it."""
    to = TYPES.get(kind, "text")
    if there.get(column) == to:
        return True
    values = quoted(column) if is_in_place(was, kind) else "null"
    change = f"alter column {quoted(column)} type {to} using {values}::{to}"
    return _try(database, name, column, change, done)


def _try(database: Database, name: str, column: str, change: str, done: Exported) -> bool:
    """Change a column, which a user's view may be in the way of, and tell if one is."""
    try:
        database.do(f"alter table {name} {change}")
    except duckdb.Error as error:
        database.do("select 1")  # that the server is gone is another matter
        done.problems.append(f"{database.said(error)} Column {column} stays as it was.")
        return False
    return True


def _room(database: Database, table: str, there: dict[str, str]) -> int:
    """How many columns can be added to a table there."""
    if not there:
        return MOST_COLUMNS
    query = (
        "select max(attnum)::bigint from pg_attribute "  # noqa: S608 - quoted
        f"where attrelid = to_regclass({literal(database.name(table))})"
    )
    ((used,),) = database.ask(query)
    return MOST_COLUMNS - int(used)
