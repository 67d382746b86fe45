"""The final tables in a PostgreSQL database, in a schema of the same name.

A table is cut into the hours of receipt. Rows that are gone here go first, in a transaction of
their own, so that nothing that comes holds up an erasure. Then the hours that have changed are
exchanged in one transaction, in which is also noted what was exported, so that whoever reads sees
the table before or after it, and a death leaves it before. If PostgreSQL does not take that, it is
tried in halves, until what it does not take is an hour alone, which is left out.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

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
from orchestration.export.moved_rows import gone_and_moved, units
from orchestration.export.names import MORE, own_columns
from orchestration.export.postgres_values import TYPES, more, value, value_of_old_type
from orchestration.export.snapshot import TableSnapshot
from orchestration.settings import connection_values, shown
from orchestration.warehouse.advisory_lock import UNLIMITED
from orchestration.warehouse.catalog import literal, quoted
from orchestration.warehouse.connection import load_extensions

SETTING = "SEAMLINE_EXPORT_POSTGRES"

MOST_COLUMNS = 1_600
"""Of a table in all its life: those that were dropped count."""

_DEFAULTS = {"connect_timeout": "10", "application_name": "seamline export"}
_TO = "export_to"
"""The database as DuckDB has it attached."""

_TABLES = "_seamline_table"
_PARTS = "_seamline_part"

_MANY = 1_000
"""Rows that one statement names."""

_NAMED = 5
"""Hours that a message names."""

_LEFT_OUT = Part(0, "")
"""Noted of a part whose rows there are others: the next export looks at it."""


class _State(State):
    """What was exported of a table, and where its columns are there.

    Attributes:
        names: the columns that have one of their own, with its name; the others are in `MORE`.
    """

    names: dict[str, str] = msgspec.field(default_factory=dict)


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
                "(name text primary key, columns json, files json, names json)"
            )
            self._do(f"alter table {self._name(_TABLES)} add column if not exists names json")
            self._do(
                f"create table if not exists {self._name(_PARTS)} "
                "(name text, start text, rows bigint, hash text, primary key (name, start))"
            )

    def export(self, of: TableSnapshot) -> Exported:
        """Bring a table up to date.

        Args:
            of: The table, in a snapshot.

        Raises:
            ExportFailedError: the database did not take it; it has what it had.
            SnapshotExpiredError: nothing is written of it any more.
        """
        table = of.table
        known = self._state(table)
        there = self._columns(table)
        if there and not known.columns:
            raise ExportFailedError(
                f"{SETTING}: {self._shown}: {self._schema}.{table} is there, and no export of ours "
                "has made it. It is as it was; remove or rename it."
            )
        if not there:  # somebody has removed it
            known = _State()
        elif lost := _lost(of, known, there):
            for column in lost - {MORE}:
                known.columns.pop(column, None)
                del known.names[column]
            known.parts = dict.fromkeys(known.parts, _LEFT_OUT)
        found = changes(of, "hour", known, in_place=_in_place)
        done = Exported()
        with self.told():
            moved = self._remove_gone(of, found, known)
            columns = self._make(table, found, known, there, done)
            parts: list[dict[str, Part]] = (
                [found.changed | dict.fromkeys(found.gone, _LEFT_OUT)]
                if known.parts  # a row that leaves an hour for another is never missing
                else list(found.portions())
            )
            write = _Write(of, found, columns, known, done)
            for portion in parts:
                self._write(write, units(portion, moved))
            done.problems += write.problems()
            if found.files != known.files:
                known.files = found.files
                with self._transaction():
                    self._note(table, known, [])
        done.total = sum(part.rows for part in known.parts.values())
        return done

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell in a line what PostgreSQL says, without a password."""
        try:
            yield
        except duckdb.Error as error:
            raise ExportFailedError(
                f"{self._said(error)} The tables there are as they were, without what is gone "
                "here, and the next export has what is new."
            ) from None

    def _said(self, error: duckdb.Error) -> str:
        """What PostgreSQL says in a line, without a password or a value."""
        said = " ".join(str(error).replace(self._address, self._shown).split())
        return f"{SETTING}: {self._shown}: {_VALUES.sub(_without_value, said)}"

    def _remove_gone(
        self, of: TableSnapshot, found: Changes, known: _State
    ) -> list[tuple[str, str]]:
        """Remove the rows that are gone here; return from which hour to which others move."""
        parts = [start for start in (*found.changed, *found.gone) if start in known.parts]
        if not parts:
            return []
        name, at = self._name(of.table), ", ".join(map(literal, parts))
        self._con.execute("call pg_clear_cache()")
        theirs = (
            f"select message_id, hour as start from unnest(array[{at}]::timestamp[]) as hour "  # noqa: S608 - quoted
            f"join {name} on {RECEIVED_AT} >= hour and {RECEIVED_AT} < hour + interval '1 hour'"
        )
        gone, moved = gone_and_moved(self._con, (_TO, theirs), of.name, parts)
        if gone:
            of.check()
            with self._transaction():
                for at_once in range(0, len(gone), _MANY):
                    ids = ", ".join(
                        f"('{one.encode().hex()}')" for one in gone[at_once : at_once + _MANY]
                    )
                    self._do(
                        f"delete from {name} using (select convert_from(decode(hex, 'hex'), 'UTF8')"  # noqa: S608 - hex
                        f" as id from (values {ids}) as listed (hex)) as gone "
                        "where md5(message_id) = md5(gone.id) and message_id = gone.id"
                    )
        return moved

    def _make(
        self,
        table: str,
        found: Changes,
        known: _State,
        there: dict[str, str],
        done: Exported,
    ) -> "_Columns":
        """Make a table with its indexes, or give it the columns that it is to have now.

        A view may keep a column from going, or from having another type: that is told, and the
        rest is done.
        """
        name = self._name(table)
        old = {
            column: kind
            for column, kind in known.columns.items()
            if column in known.names
            and found.columns.get(column, kind) != kind
            and not self._alter(name, known.names[column], kind, found.columns[column], there, done)
        }
        kept = {}
        for column in known.names.keys() - found.columns.keys():
            gone = known.names[column]
            if gone in there and not self._try(name, gone, f"drop column {quoted(gone)}", done):
                kept[column] = gone
        own = own_columns(
            table, found.columns, known.columns, known.names | kept, there, self._room(table, there)
        )
        before = (known.columns, known.names)
        known.columns = found.columns | old
        known.names = own | kept
        kinds = {own[column]: TYPES.get(found.columns[column], "text") for column in own}
        kinds[MORE] = "json"
        if kinds.keys() - there.keys() or before != (known.columns, known.names):
            # whose rows are to be written though they may be the same
            rewritten = [start for start in found.changed if start in known.parts]
            known.parts |= dict.fromkeys(rewritten, _LEFT_OUT)
            with self._transaction():
                if not there:
                    listed = ", ".join(f"{quoted(column)} {kind}" for column, kind in kinds.items())
                    self._do(f"create table {name} ({listed})")
                    # an index takes 2,700 bytes, and an id may have more; two may have one MD5
                    self._do(
                        f"create unique index on {name} "
                        "(md5(message_id), hashtextextended(message_id, 0))"
                    )
                    self._do(f"create index on {name} ({RECEIVED_AT})")
                else:
                    for column, kind in kinds.items():
                        if column not in there:
                            self._do(f"alter table {name} add column {quoted(column)} {kind}")
                self._note(table, known, rewritten)
        return _Columns(own, old)

    def _alter(
        self, table: str, column: str, was: str, kind: str, there: dict[str, str], done: Exported
    ) -> bool:
        """Give a column another type, in place if values stay; whether it has it."""
        to = TYPES.get(kind, "text")
        if there.get(column) == to:
            return True
        values = quoted(column) if _in_place(was, kind) else "null"
        change = f"alter column {quoted(column)} type {to} using {values}::{to}"
        return self._try(table, column, change, done)

    def _try(self, table: str, column: str, change: str, done: Exported) -> bool:
        """Change a column, which a user's view may be in the way of, and tell if one is."""
        try:
            self._do(f"alter table {table} {change}")
        except duckdb.Error as error:
            self._do("select 1")  # that the server is gone is another matter
            done.problems.append(f"{self._said(error)} Column {column} stays as it was.")
            return False
        return True

    def _room(self, table: str, there: dict[str, str]) -> int:
        """How many columns can be added to a table there."""
        if not there:
            return MOST_COLUMNS
        query = (
            "select max(attnum)::bigint from pg_attribute "  # noqa: S608 - quoted
            f"where attrelid = to_regclass({literal(self._name(table))})"
        )
        ((used,),) = self._con.execute("from postgres_query($1, $2)", [_TO, query]).fetchall()
        return MOST_COLUMNS - int(used)

    def _columns(self, table: str) -> dict[str, str]:
        """The columns of a table there, with their types; none if there is no such table."""
        query = (
            "select column_name::text, data_type::text from information_schema.columns "  # noqa: S608 - quoted
            f"where table_schema = {literal(self._schema)} and table_name = {literal(table)}"
        )
        with self.told():
            rows = self._con.execute("from postgres_query($1, $2)", [_TO, query]).fetchall()
        return {name: _SHORT.get(kind, kind) for name, kind in rows}

    def _write(self, write: "_Write", together: list[list[str]]) -> None:
        """Exchange parts, in halves if they are not taken, and leave out what is not taken alone.

        Args:
            write: What they are parts of.
            together: The parts by those between which rows move: these are exchanged at once.
        """
        parts = [start for unit in together for start in unit]
        if not parts:
            return
        try:
            self._exchange(write, parts)
        except duckdb.Error as error:
            self._do("select 1")  # that the server is gone is no fault of a part
            write.of.check()
            if len(together) > 1:
                half = len(together) // 2
                self._write(write, together[:half])
                self._write(write, together[half:])
                return
            write.known.parts |= dict.fromkeys(parts, _LEFT_OUT)
            with self._transaction():
                self._note(write.of.table, write.known, parts)
            write.done.left_out += parts
            write.reasons.setdefault(self._said(error), []).extend(parts)

    def _exchange(self, write: "_Write", parts: list[str]) -> None:
        """Exchange parts of a table in one transaction, and note it there."""
        known, done = write.known, write.done
        portion = {
            start: write.found.changed[start] for start in parts if start in write.found.changed
        }
        noted = {start: part for start, part in known.parts.items() if start not in parts} | portion
        now = _State(known.columns, known.files, noted, known.names)
        with self._transaction():
            for start in parts:
                if start in known.parts:
                    at = f"timestamp {literal(start)}"
                    self._do(
                        f"delete from {self._name(write.of.table)} where {RECEIVED_AT} >= {at} "  # noqa: S608 - quoted
                        f"and {RECEIVED_AT} < {at} + interval '1 hour'"
                    )
            if portion:
                self._insert(write, portion)
            self._note(write.of.table, now, parts)
            write.of.check()
        known.parts = noted
        done.rows += sum(part.rows for part in portion.values())
        done.parts += len(portion)
        done.gone += len(parts) - len(portion)

    def _insert(self, write: "_Write", portion: dict[str, Part]) -> None:
        self._con.execute("call pg_clear_cache()")
        kinds, own, old = write.found.columns, write.columns.own, write.columns.old
        values = {
            own[column]: value_of_old_type(column, kinds[column], old[column])
            if column in old
            else value(column, kinds[column])
            for column in own
        }
        values[MORE] = more({one: kind for one, kind in kinds.items() if one not in own})
        self._con.execute(
            f"insert into {_TO}.{self._name(write.of.table)} ({', '.join(map(quoted, values))}) "
            f"select {', '.join(values.values())} "
            f"{rows_of(write.of.name, 'hour', portion)}"
        )

    def _state(self, table: str) -> _State:
        with self.told():
            self._con.execute("call pg_clear_cache()")
            rows = self._con.execute(
                "select columns::varchar, files::varchar, names::varchar "  # noqa: S608 - quoted
                f"from {_TO}.{self._name(_TABLES)} where name = $1",
                [table],
            ).fetchall()
            parts = self._con.execute(
                f"select start, rows, hash from {_TO}.{self._name(_PARTS)} where name = $1",  # noqa: S608 - quoted
                [table],
            ).fetchall()
        if not rows or rows[0][2] is None:
            return _State()
        ((columns, files, names),) = rows
        return _State(
            msgspec.json.decode(columns, type=dict[str, str]),
            msgspec.json.decode(files, type=list[str]),
            {start: Part(count, digest) for start, count, digest in parts},
            msgspec.json.decode(names, type=dict[str, str]),
        )

    def _note(self, table: str, state: _State, starts: list[str]) -> None:
        """Note what was exported of a table, and of these parts of it."""
        of_it = f"where name = {literal(table)}"
        self._do(f"delete from {self._name(_TABLES)} {of_it}")  # noqa: S608 - quoted
        listed = ", ".join(map(literal, starts)) or "''"
        self._do(f"delete from {self._name(_PARTS)} {of_it} and start in ({listed})")  # noqa: S608 - quoted
        columns, files, names = (
            msgspec.json.encode(one).decode() for one in (state.columns, state.files, state.names)
        )
        self._con.execute(
            f"insert into {_TO}.{self._name(_TABLES)} values ($1, $2, $3, $4)",  # noqa: S608 - quoted
            [table, columns, files, names],
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


@dataclass(frozen=True)
class _Columns:
    """The columns of a table there: those of their own, and of these those of an older type."""

    own: dict[str, str]
    old: dict[str, str]


@dataclass(frozen=True)
class _Write:
    """A table that is being exported; what is noted of it and done grows meanwhile."""

    of: TableSnapshot
    found: Changes
    columns: _Columns
    known: _State
    done: Exported
    reasons: dict[str, list[str]] = field(default_factory=dict)
    """Why parts were left out, with these."""

    def problems(self) -> Iterator[str]:
        """Say which parts were left out, and why."""
        for why, parts in self.reasons.items():
            hours = ", ".join(start[:13] for start in sorted(parts)[:_NAMED])
            others = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
            yield (
                f"{why} Left out: what was received in the hours {hours}{others}. It is there as "
                "it was, without what is gone here. All else was exported, and the next export "
                "tries again."
            )


def _lost(of: TableSnapshot, known: _State, there: Collection[str]) -> set[str]:
    """The columns that somebody has removed there, though the table has them."""
    names = {column: name for column, name in known.names.items() if column in of.columns}
    return {column for column, name in (names | {MORE: MORE}).items() if name not in there}


def _in_place(was: str, kind: str) -> bool:
    """Whether PostgreSQL gives a column another type with its values."""
    return (was, kind) == ("int64", "float64")


_VALUES = re.compile(
    r"( DETAIL:| CONTEXT:).*|( query) \".*\"(?=: )"
    r"|((?:could not convert|invalid input (?:syntax|value)|out of range)[^'\":]*)['\":].*",
    re.IGNORECASE,
)
"""Here a statement or a value is quoted."""


def _without_value(found: re.Match[str]) -> str:
    return found[2] or (found[3] or "").rstrip()


_SHORT = {
    "timestamp without time zone": "timestamp",
    "character varying": "text",
}


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
                raise ExportBusyError("postgres")
            yield
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise ExportFailedError(
            f"{SETTING}: {shown(address)} cannot be used: {said} Nothing was exported; the next "
            "export has what is new."
        ) from None
