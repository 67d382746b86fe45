"""What was exported to a PostgreSQL database, noted there in tables beside the exported ones."""

import msgspec

from orchestration.export.changes import Part, State
from orchestration.export.postgres_database import Database
from orchestration.warehouse.catalog import literal

LEFT_OUT = Part(0, "")
"""Noted of a part whose rows there are others: the next export looks at it."""

_TABLES = "_seamline_table"
_PARTS = "_seamline_part"


class PostgresState(State):
    """What was exported of a table, and where its columns are there.

    Attributes:
        names: the columns that have one of their own, with its name; the others are in `MORE`.
    """

    names: dict[str, str] = msgspec.field(default_factory=dict)


def prepare(database: Database) -> None:
    """Make the tables of it, as far as missing.

    Raises:
        ExportFailedError: the database does not take them.
    """
    with database.told():
        database.do(
            f"create table if not exists {database.name(_TABLES)} "
            "(name text primary key, columns json, files json, names json)"
        )
        database.do(f"alter table {database.name(_TABLES)} add column if not exists names json")
        database.do(
            f"create table if not exists {database.name(_PARTS)} "
            "(name text, start text, rows bigint, hash text, primary key (name, start))"
        )


def read(database: Database, table: str) -> PostgresState:
    """What was exported of a table.

    Raises:
        ExportFailedError: the database does not say.
    """
    with database.told():
        database.look_again()
        rows = database.con.execute(
            "select columns::varchar, files::varchar, names::varchar "  # noqa: S608 - quoted
            f"from {database.name_here(_TABLES)} where name = $1",
            [table],
        ).fetchall()
        parts = database.con.execute(
            f"select start, rows, hash from {database.name_here(_PARTS)} where name = $1",  # noqa: S608 - quoted
            [table],
        ).fetchall()
    if not rows or rows[0][2] is None:
        return PostgresState()
    ((columns, files, names),) = rows
    return PostgresState(
        msgspec.json.decode(columns, type=dict[str, str]),
        msgspec.json.decode(files, type=list[str]),
        {start: Part(count, digest) for start, count, digest in parts},
        msgspec.json.decode(names, type=dict[str, str]),
    )


def note(database: Database, table: str, state: PostgresState, starts: list[str]) -> None:
    """Note what was exported of a table, and of these parts of it; within a transaction."""
    of_it = f"where name = {literal(table)}"
    database.do(f"delete from {database.name(_TABLES)} {of_it}")  # noqa: S608 - quoted
    listed = ", ".join(map(literal, starts)) or "''"
    database.do(f"delete from {database.name(_PARTS)} {of_it} and start in ({listed})")  # noqa: S608 - quoted
    columns, files, names = (
        msgspec.json.encode(one).decode() for one in (state.columns, state.files, state.names)
    )
    database.con.execute(
        f"insert into {database.name_here(_TABLES)} values ($1, $2, $3, $4)",  # noqa: S608 - quoted
        [table, columns, files, names],
    )
    kept = [
        (table, start, part.rows, part.hash) for start in starts if (part := state.parts.get(start))
    ]
    if kept:
        database.con.executemany(
            f"insert into {database.name_here(_PARTS)} values ($1, $2, $3, $4)",  # noqa: S608 - quoted
            kept,
        )
