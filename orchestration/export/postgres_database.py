"""A PostgreSQL database that is exported to, as DuckDB has it attached."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import duckdb
import psycopg
from psycopg.conninfo import make_conninfo

from orchestration.export.errors import ExportBusyError, ExportFailedError
from orchestration.settings import connection_values, shown
from orchestration.warehouse.advisory_lock import UNLIMITED
from orchestration.warehouse.catalog import literal, quoted
from orchestration.warehouse.connection import load_extensions

SETTING = "SEAMLINE_EXPORT_POSTGRES"

ATTACHED = "export_to"
"""The name by which it is attached."""

_DEFAULTS = {"connect_timeout": "10", "application_name": "seamline export"}


class Database:
    """A schema of a database, beside the warehouse.

    Attributes:
        con: The warehouse, with the database attached.
        schema: That of the final tables, there as here.
        shown: The address, as messages have it.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, address: str, schema: str) -> None:
        """Attach it, and make its schema if it is missing.

        Args:
            con: The warehouse.
            address: A connection string or URI of libpq's.
            schema: That of the final tables, there as here.

        Raises:
            ExportFailedError: it cannot be used.
        """
        self.con = con
        self.schema = schema
        said = _DEFAULTS | connection_values(address)
        password = said.pop("password", None)
        self._address = make_conninfo(**said)
        self.shown = shown(address)
        options = "type postgres"
        with self.told():
            load_extensions(con, ("postgres_scanner",))
            if password is not None:  # where no error and no list of databases shows it
                secret = (
                    f"create or replace temporary secret {ATTACHED} (type postgres, password $1)"
                )
                con.execute(secret, [password])
                options += f", secret {ATTACHED}"
            con.execute(f"attach {literal(self._address)} as {ATTACHED} ({options})")
            self.do(f"create schema if not exists {quoted(schema)}")

    def do(self, statement: str) -> None:
        """Have PostgreSQL do something."""
        self.con.execute("call postgres_execute($1, $2)", [ATTACHED, statement])

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What PostgreSQL answers."""
        return self.con.execute("from postgres_query($1, $2)", [ATTACHED, query]).fetchall()

    def name(self, table: str) -> str:
        """A table as SQL names it there."""
        return f"{quoted(self.schema)}.{quoted(table)}"

    def name_here(self, table: str) -> str:
        """The same table as DuckDB names it, which knows it as it was until that is cleared."""
        return f"{ATTACHED}.{self.name(table)}"

    def look_again(self) -> None:
        """Have DuckDB forget what it knows of the tables there."""
        self.con.execute("call pg_clear_cache()")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of a `with` block, or nothing of it."""
        self.con.execute("begin")
        try:
            yield
            self.con.execute("commit")
        except BaseException:
            with suppress(duckdb.Error):  # that it is over already must not hide the reason
                self.con.rollback()
            raise

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tell in a line what PostgreSQL says, without a password."""
        try:
            yield
        except duckdb.Error as error:
            raise ExportFailedError(
                f"{self.said(error)} The tables there are as they were, without what is gone "
                "here, and the next export has what is new."
            ) from None

    def said(self, error: duckdb.Error) -> str:
        """What PostgreSQL says in a line, without a password or a value."""
        said = " ".join(str(error).replace(self._address, self.shown).split())
        return f"{SETTING}: {self.shown}: {_VALUES.sub(_without_value, said)}"


_VALUES = re.compile(
    r"( DETAIL:| CONTEXT:).*|( query) \".*\"(?=: )"
    r"|((?:could not convert|invalid input (?:syntax|value)|out of range)[^'\":]*)['\":].*",
    re.IGNORECASE,
)
"""Here a statement or a value is quoted."""


def _without_value(found: re.Match[str]) -> str:
    return found[2] or (found[3] or "").rstrip()


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
