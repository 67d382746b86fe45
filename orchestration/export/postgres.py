"""The final tables in a PostgreSQL database, in a schema of the same name.

A table is cut into the hours of receipt. The hours that have changed are exchanged in one
transaction, in which is also noted what was exported, so that whoever reads sees the table before
or after it, and a death leaves it before.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from orchestration.export.changes import (
    RECEIVED_AT,
    Changes,
    Exported,
    Part,
    State,
    changes,
    rows_of,
)
from orchestration.export.errors import ExportBusyError, ExportFailedError
from orchestration.settings import connection_values, shown
from orchestration.warehouse.advisory_lock import UNLIMITED
from orchestration.warehouse.catalog import full_name, literal, quoted
from orchestration.warehouse.connection import load_extensions

SETTING = "SEAMLINE_EXPORT_POSTGRES"

LONGEST_NAME = 63
"""Bytes of a name: what is longer PostgreSQL cuts, and two may be one then."""

_DEFAULTS = {"connect_timeout": "10", "application_name": "seamline export"}
_HASH = 8
_TO = "export_to"
"""The database as DuckDB has it attached."""

_TABLES = "_seamline_table"
_PARTS = "_seamline_part"

_TYPES = {
    "int64": "bigint",
    "float64": "double precision",
    "boolean": "boolean",
    "varchar": "text",
    "json": "json",
    "timestamp": "timestamp",
    "date": "date",
}
"""DuckLake's type → PostgreSQL's."""


class Target:
    """A database that is exported to."""

    def __init__(self, con: duckdb.DuckDBPyConnection, address: str, schema: str) -> None:
        """Attach it, and make its schema, as far as missing.

        Args:
            con: The warehouse.
            address: A connection string or URI of libpq's.
            schema: That of the final tables, there as here.

        Raises:
            ExportFailedError: it cannot be used.
        """
        self._con = con
        self._schema = schema
        said = _DEFAULTS | connection_values(address)
        password = said.pop("password", None)
        self._address = make_conninfo(**said)
        self._shown = shown(address)
        options = "type postgres"
        with self.told():
            load_extensions(con, ("postgres_scanner",))
            if password is not None:  # where no error and no list of databases shows it
                secret = f"create or replace temporary secret {_TO} (type postgres, password $1)"
                con.execute(secret, [password])
                options += f", secret {_TO}"
            con.execute(f"attach {literal(self._address)} as {_TO} ({options})")
            self._do(f"create schema if not exists {quoted(schema)}")
            self._do(
                f"create table if not exists {self._name(_TABLES)} "
                "(name text primary key, columns json, files json)"
            )
            self._do(
                f"create table if not exists {self._name(_PARTS)} "
                "(name text, start text, rows bigint, hash text, primary key (name, start))"
            )

    def export(self, table: str) -> Exported:
        """Bring a table up to date.

        Args:
            table: It has to be in the warehouse.

        Raises:
            ExportFailedError: the database did not take it; it has what it had.
        """
        known = self._state(table)
        found = changes(self._con, self._schema, table, "hour", known)
        done = Exported()
        with self.told():
            written = State(known.columns, known.files, dict(known.parts))
            # a row that leaves an hour for another is in neither twice, nor missing
            for portion in [found.changed] if known.parts else found.portions():
                self._exchange(table, found, portion, written, done)
            if found.gone or (found.columns, found.files) != (known.columns, known.files):
                written.columns, written.files = found.columns, found.files
                self._exchange(table, found, {}, written, done)
        done.total = sum(part.rows for part in written.parts.values())
        return done

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell in a line what PostgreSQL says, without a password."""
        try:
            yield
        except duckdb.Error as error:
            said = " ".join(str(error).replace(self._address, self._shown).split())
            for word in _WITH_VALUES:
                said = said.partition(word)[0]
            raise ExportFailedError(
                f"{SETTING}: {self._shown}: {said} The tables there are as they were, and the next "
                "export has what is new."
            ) from None

    def _exchange(
        self, table: str, found: Changes, portion: dict[str, Part], written: State, done: Exported
    ) -> None:
        """Exchange parts of a table in one transaction, and note it there."""
        gone = [start for start in found.gone if start in written.parts]
        with self._transaction():
            self._make(table, found.columns, written.columns)
            for start in [*gone, *portion]:
                if start in written.parts:
                    at = f"timestamp {literal(start)}"
                    self._do(
                        f"delete from {self._name(table)} where {RECEIVED_AT} >= {at} "  # noqa: S608 - quoted
                        f"and {RECEIVED_AT} < {at} + interval '1 hour'"
                    )
            if portion:
                self._insert(table, found.columns, portion)
            written.parts |= portion
            for start in gone:
                del written.parts[start]
            self._note(table, written, [*gone, *portion])
        done.rows += sum(part.rows for part in portion.values())
        done.parts += len(portion)
        done.gone += len(gone)

    def _make(self, table: str, columns: dict[str, str], exported: dict[str, str]) -> None:
        """Make a table with its indexes, or give it the columns that it is to have now."""
        name = self._name(table)
        there = self._columns(table)
        wanted = {column_name(column): _TYPES.get(kind, "text") for column, kind in columns.items()}
        if not there:
            listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in wanted.items())
            self._do(f"create table {name} ({listed})")
            # an index takes 2,700 bytes, and an id may have more
            self._do(f"create unique index on {name} (md5(message_id))")
            self._do(f"create index on {name} ({RECEIVED_AT})")
            return
        for column in sorted(set(map(column_name, exported)) & there.keys() - wanted.keys()):
            self._do(f"alter table {name} drop column {quoted(column)}")
        others = {column_name(one) for one, kind in columns.items() if exported.get(one) != kind}
        for column, kind in wanted.items():
            if column not in there:
                self._do(f"alter table {name} add column {quoted(column)} {kind}")
            elif there[column] != kind and column in others:
                # every row is written anew in this transaction; a type that is a user's stays
                self._do(
                    f"alter table {name} alter column {quoted(column)} "
                    f"type {kind} using null::{kind}"
                )

    def _columns(self, table: str) -> dict[str, str]:
        """The columns of a table there, with their types; none if there is no such table."""
        query = (
            "select column_name::text, data_type::text from information_schema.columns "  # noqa: S608 - quoted
            f"where table_schema = {literal(self._schema)} and table_name = {literal(table)}"
        )
        rows = self._con.execute("from postgres_query($1, $2)", [_TO, query]).fetchall()
        return {name: _SHORT.get(kind, kind) for name, kind in rows}

    def _insert(self, table: str, columns: dict[str, str], portion: dict[str, Part]) -> None:
        self._con.execute("call pg_clear_cache()")
        named = {column_name(column): _value(column, kind) for column, kind in columns.items()}
        self._con.execute(
            f"insert into {_TO}.{self._name(table)} ({', '.join(map(quoted, named))}) "
            f"select {', '.join(named.values())} "
            f"{rows_of(full_name(self._schema, table), 'hour', portion)}"
        )

    def _state(self, table: str) -> State:
        with self.told():
            self._con.execute("call pg_clear_cache()")
            rows = self._con.execute(
                f"select columns::varchar, files::varchar from {_TO}.{self._name(_TABLES)} "  # noqa: S608 - quoted
                "where name = $1",
                [table],
            ).fetchall()
            parts = self._con.execute(
                f"select start, rows, hash from {_TO}.{self._name(_PARTS)} where name = $1",  # noqa: S608 - quoted
                [table],
            ).fetchall()
        if not rows:
            return State()
        ((columns, files),) = rows
        return State(
            msgspec.json.decode(columns, type=dict[str, str]),
            msgspec.json.decode(files, type=list[str]),
            {start: Part(count, digest) for start, count, digest in parts},
        )

    def _note(self, table: str, state: State, starts: list[str]) -> None:
        """Note what was exported of a table, and of these parts of it."""
        of_it = f"where name = {literal(table)}"
        self._do(f"delete from {self._name(_TABLES)} {of_it}")  # noqa: S608 - quoted
        listed = ", ".join(map(literal, starts)) or "''"
        self._do(f"delete from {self._name(_PARTS)} {of_it} and start in ({listed})")  # noqa: S608 - quoted
        columns, files = (msgspec.json.encode(one).decode() for one in (state.columns, state.files))
        self._con.execute(
            f"insert into {_TO}.{self._name(_TABLES)} values ($1, $2, $3)",  # noqa: S608 - quoted
            [table, columns, files],
        )
        kept = [
            (table, start, part.rows, part.hash)
            for start in starts
            if (part := state.parts.get(start))
        ]
        if kept:
            self._con.executemany(
                f"insert into {_TO}.{self._name(_PARTS)} values ($1, $2, $3, $4)",  # noqa: S608 - quoted
                kept,
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._con.execute("begin")
        try:
            yield
            self._con.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # that it is over already must not hide the reason
                self._con.rollback()
            raise

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def _do(self, statement: str) -> None:
        self._con.execute("call postgres_execute($1, $2)", [_TO, statement])


_WITH_VALUES = (" DETAIL:", " CONTEXT:")
"""Behind these PostgreSQL quotes values."""

_SHORT = {
    "timestamp without time zone": "timestamp",
    "character varying": "text",
}


_SYSTEMS = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
"""Columns that every table of PostgreSQL's has."""


def column_name(name: str) -> str:
    """The name that a column has in PostgreSQL: its own, or its beginning and a hash of it."""
    data = name.encode()
    if len(data) <= LONGEST_NAME and name not in _SYSTEMS:
        return name
    beginning = data[: LONGEST_NAME - _HASH - 1].decode(errors="ignore")
    return f"{beginning}_{hashlib.sha256(data).hexdigest()[:_HASH]}"


@contextmanager
def alone(address: str, schema: str) -> Iterator[None]:
    """Be the only one, on whatever machine, who exports to a schema of a database.

    Args:
        address: A connection string or URI of libpq's.
        schema: The schema.

    Raises:
        ExportBusyError: another is at it; nothing was done.
        ExportFailedError: the database cannot be reached.
    """
    try:
        whole = make_conninfo(**(_DEFAULTS | connection_values(address)))
        with psycopg.connect(whole, autocommit=True) as con:
            con.execute(UNLIMITED)
            key = f"seamline export {schema}"
            row = con.execute(
                "select pg_try_advisory_lock(hashtextextended(%s, 0))", [key]
            ).fetchone()
            if not (row and row[0]):
                raise ExportBusyError
            yield
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise ExportFailedError(
            f"{SETTING}: {shown(address)} cannot be used: {said} Nothing was exported; the next "
            "export has what is new."
        ) from None


def _value(column: str, kind: str) -> str:
    """SQL of a column's value as PostgreSQL takes it: it knows no text with a NUL."""
    name = quoted(column)
    if kind not in _TYPES:  # a column that a user has added
        return f"cast({name} as varchar) as {name}"
    return f"replace({name}, chr(0), '') as {name}" if kind == "varchar" else name
