"""The databases that Dagster keeps its runs, events and schedules in, without Dagster itself.

SQLite files in DAGSTER_HOME, or one PostgreSQL database (SEAMLINE_DAGSTER_STORAGE). The tables are
the same, and so is the SQL: values stand in it as `$1`, `$2` …
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from landed.errors import ReportedError
from orchestration.settings import Settings, connection_values, shown

if TYPE_CHECKING:
    import psycopg

SETTING = "SEAMLINE_DAGSTER_STORAGE"

RUNS = "history/runs.db"
INDEX = "history/runs/index.db"
WITHOUT_RUN = "history/runs/.db"
"""The file of events that belong to no run, whose id is empty."""
SCHEDULES = "schedules/schedules.db"
FILES = (RUNS, INDEX, WITHOUT_RUN, SCHEDULES)
"""Of the files: below DAGSTER_HOME. In PostgreSQL all of it is in one database."""

BUSY_SECONDS = 10
_CONNECT_SECONDS = "5"
_TABLES = ("runs", "event_logs", "instigators")

Execute = Callable[..., list[tuple[Any, ...]]]
"""Called with a statement and a list of values; returns its rows."""


class DagsterUnreadableError(Exception):
    """Dagster's tables are not there, or cannot be read just now."""


class DagsterAwayError(ReportedError):
    """Dagster's PostgreSQL cannot be used; the text says why and which setting leads there."""


@contextmanager
def opened(settings: Settings, file: str, patience: float = BUSY_SECONDS) -> Iterator[Execute]:
    """Open a database that is there; what is done in the `with` block is done as a whole.

    Args:
        settings: Where it is.
        file: Which of `FILES`.
        patience: For how many seconds a file may be busy.

    Yields:
        What executes a statement.

    Raises:
        DagsterUnreadableError: it was never made, or is no such database.
        DagsterAwayError: the server cannot be reached, or refuses.
    """
    if settings.dagster_storage is not None:
        with _session(settings.dagster_storage) as con:
            yield lambda statement, values=(): _fetched(con, statement, values)
        return
    path = settings.dagster_home / file
    if not path.exists():
        raise DagsterUnreadableError(f"{path} is not there")
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=patience)) as database, database:
            yield lambda statement, values=(): database.execute(
                statement.replace("$", "?"), list(values)
            ).fetchall()
    except sqlite3.Error as error:
        raise DagsterUnreadableError(f"{path}: {error}") from error


def is_made(settings: Settings) -> bool:
    """Whether Dagster's tables are there.

    Raises:
        DagsterAwayError: the server cannot be asked.
    """
    if settings.dagster_storage is None:
        return all((settings.dagster_home / file).exists() for file in (RUNS, SCHEDULES))
    with _session(settings.dagster_storage) as con:
        found = con.execute("select to_regclass(unnest(%s::text[]))", [list(_TABLES)]).fetchall()
    return (None,) not in found


def search(settings: Settings, holds: Callable[[bytes], bool]) -> list[str]:
    """The tables with a row that does, if they are in PostgreSQL; files are searched as files.

    Raises:
        DagsterAwayError: the server cannot be asked.
    """
    if settings.dagster_storage is None:
        return []
    from psycopg import sql  # noqa: PLC0415 - only for who has Dagster's storage there

    found = []
    with _session(settings.dagster_storage) as con:
        rows = con.execute(
            "select tablename::text from pg_tables where schemaname = current_schema() order by 1"
        ).fetchall()
        for (table,) in rows:
            copying = sql.SQL("copy {} to stdout").format(sql.Identifier(table))
            with con.cursor() as cursor, cursor.copy(copying) as lines:
                # to the end: to stop in the middle would cancel the session's statement
                hits = [True for line in lines if holds(bytes(line))]
            if hits:
                found.append(f"{table} of {SETTING}")
    return found


@contextmanager
def _session(address: str) -> Iterator["psycopg.Connection[Any]"]:
    import psycopg  # noqa: PLC0415 - only for who has Dagster's storage there
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    said = {"connect_timeout": _CONNECT_SECONDS} | connection_values(address)
    try:
        with psycopg.connect(make_conninfo(**said)) as con:
            yield con
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
        raise DagsterUnreadableError(str(error)) from error
    except (psycopg.OperationalError, psycopg.errors.InsufficientPrivilege) as error:
        raise DagsterAwayError(
            f"{SETTING}: Dagster's storage at {shown(address)} cannot be used: "
            f"{' '.join(str(error).split())}"
        ) from error


def _fetched(
    con: "psycopg.Connection[Any]", statement: str, values: Sequence[object]
) -> list[tuple[Any, ...]]:
    import psycopg  # noqa: PLC0415 - as above

    cursor = psycopg.RawCursor(con)
    cursor.execute(statement, list(values))
    return cursor.fetchall() if cursor.description else []
