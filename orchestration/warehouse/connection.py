"""The warehouse: a DuckLake, whose tables are Parquet files, as DuckDB attaches it."""

import sys
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

import duckdb
from duckdb_extensions import import_extension

from orchestration.settings import Settings
from orchestration.warehouse.catalog import DATABASE, literal
from orchestration.warehouse.catalogs import SECRET, Opened, catalog_of
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.errors import NotTheWriterError, WarehouseUnusableError
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import is_ours, writer_lock

EXTENSIONS = ("ducklake", "sqlite_scanner")
EXTENSION_DIRECTORY = Path(sys.prefix) / "duckdb_extensions"
"""Inside the environment, so that neither the network nor the home directory is touched."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "extension_directory": str(EXTENSION_DIRECTORY),
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def connect(settings: Settings, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the warehouse.

    Args:
        settings: Where it is.
        read_only: For readers, who then can neither write nor create it. Any number of them may
            read while the one writer writes. Who may only read the files reads the warehouse as
            it is now, in a copy of its catalog. Who writes has to hold the writer's lock:
            `with writer_lock(settings), connect(settings) as con`.

    Returns:
        A DuckDB connection with the lake attached and selected as `seamline`, in UTC.

    Raises:
        NotTheWriterError: it is for writing, and this thread does not hold the lock.
        WarehouseMissingError: `read_only`, and nothing has been loaded yet.
        WarehouseUnusableError: there is a catalog, and it cannot be opened, or not now.
    """
    if not read_only:
        if not is_ours(settings):
            raise NotTheWriterError(
                f"Only who holds the writer's lock opens {settings.place} for writing. Nothing "
                "was opened or made; to read, connect with `read_only=True`."
            )
        create_catalog(settings)
    if is_shared(settings):
        con = _shared[settings.place].cursor()
        con.execute(f"set TimeZone = 'UTC'; use {DATABASE}")
        return con
    opened = catalog_of(settings).to_open(read_only=read_only)
    session = _idle.pop() if _idle else _session()
    # of a kept one the caller closes a cursor
    con = session.cursor() if _keeps else session
    weakref.finalize(con, _give_back, session if _keeps else None, opened)
    con.execute("set TimeZone = 'UTC'")
    _attach(con, settings, opened, read_only=read_only)
    return con


_idle: list[duckdb.DuckDBPyConnection] = []
_keeps: list[None] = []


@contextmanager
def keeping_sessions() -> Iterator[None]:
    """Use a DuckDB again once its connection is closed, for who connects again and again.

    A new one checks its extensions for a tenth of a second, and longer on a busy machine. What is
    kept has nothing attached.
    """
    _keeps.append(None)
    try:
        yield
    finally:
        _keeps.pop()
        if not _keeps:
            _idle.clear()
            _shareable.clear()


SHARED = ":memory:seamline"
"""By this name all connections of a process have one DuckDB (`sharing`), dbt's too."""

_shareable: list[duckdb.DuckDBPyConnection] = []
_shared: dict[str, duckdb.DuckDBPyConnection] = {}


@contextmanager
def sharing(settings: Settings) -> Iterator[None]:
    """Have the lake attached once for all connections of a `with` block; the caller is the writer.

    To attach it takes a twentieth of a second each time, as DuckLake reads all tables and columns.
    All connections can write then. The catalog is not to be exchanged meanwhile.

    Args:
        settings: Where the warehouse is.
    """
    create_catalog(settings)
    session = _shareable.pop() if _shareable else _session(SHARED)
    _attach(session, settings, catalog_of(settings).to_open(read_only=False), read_only=False)
    _shared[settings.place] = session
    try:
        yield
    finally:
        del _shared[settings.place]
        session.execute(f"use memory; detach database {DATABASE}")
        if _keeps:
            _shareable.append(session)


def is_shared(settings: Settings) -> bool:
    """Whether this process's connections to the warehouse share one DuckDB just now."""
    return settings.place in _shared


def _give_back(session: duckdb.DuckDBPyConnection | None, opened: Opened) -> None:
    if session is not None:
        session.execute(f"detach database if exists {DATABASE}")
        if _keeps:
            _idle.append(session)
    opened.remove_copy()


def _session(name: str = ":memory:") -> duckdb.DuckDBPyConnection:
    con = duckdb.connect(name, config=CONFIG)
    load_extensions(con)
    con.execute("set TimeZone = 'UTC'")
    return con


def _attach(
    con: duckdb.DuckDBPyConnection, settings: Settings, opened: Opened, *, read_only: bool
) -> None:
    prepare_session(con, settings)
    try:
        con.execute(attach_sql(settings, opened, read_only=read_only))
    except duckdb.Error as error:
        said = " ".join(str(error).split())
        raise WarehouseUnusableError(
            f"{settings.place} cannot be opened (SEAMLINE_WAREHOUSE): {said}. Nothing was "
            f"changed: what waits stays in {settings.landing}, and what was loaded is in its "
            "folders loaded/ and archive/."
        ) from error
    con.execute(f"use {DATABASE}")


@cache
def _kept() -> tuple[duckdb.DuckDBPyConnection, Lock]:
    con = _session()
    # they ask for the statistics of each column, which takes longer than the looks that come
    con.execute("set disabled_optimizers = 'join_order,statistics_propagation'")
    return con, Lock()


@contextmanager
def glance(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read the warehouse for the length of a `with` block, as `connect` does, in a kept DuckDB.

    For who looks again and again: a new one checks its extensions for half a second.
    """
    con, lock = _kept()
    opened = catalog_of(settings).to_open(read_only=True)
    with lock:
        try:
            _attach(con, settings, opened, read_only=True)
            yield con
        finally:
            con.execute(f"use memory; detach database if exists {DATABASE}")
            opened.remove_copy()


def load_extensions(con: duckdb.DuckDBPyConnection, extensions: Iterable[str] = EXTENSIONS) -> None:
    """Install extensions from their wheels, where they are not yet, and load them."""
    for extension in extensions:
        import_extension(extension, con=con)
        con.load_extension(extension)


def extensions_of(settings: Settings) -> tuple[str, ...]:
    """The extensions that catalog and data want, besides those that every session has."""
    return catalog_of(settings).extensions + place_at(settings.data_address).extensions


def settings_sql(settings: Settings) -> list[str]:
    """The statements that set what they want; DuckLake has sessions of its own."""
    wanted = {**catalog_of(settings).settings, **place_at(settings.data_address).settings}
    return [f"set global {name} = {literal(value)}" for name, value in wanted.items()]


def prepare_session(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Load and set what a session needs for these places, besides what every one has."""
    load_extensions(con, extensions_of(settings))
    for statement in settings_sql(settings):
        con.execute(statement)
    if password := catalog_of(settings).password:
        con.execute(secret_sql("$1"), [password])


def secret_sql(password: str) -> str:
    """The statement by which a session knows the catalog's password, and shows it to nobody.

    Args:
        password: SQL of it.
    """
    return f"create or replace temporary secret {SECRET} (type postgres, password {password})"


def create_catalog(settings: Settings) -> None:
    """Make the place of the catalog and that of the Parquet files, as far as they are missing."""
    place_at(settings.data_address).make()
    catalog_of(settings).create()


def create_warehouse(settings: Settings) -> None:
    """Make the warehouse and its raw tables, empty, as far as they are missing.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)


def attach_options(settings: Settings) -> dict[str, str | int | bool]:
    """The options of ATTACH.

    The folder of the Parquet files is given each time, so that a warehouse that was moved opens.
    Inlining of small inserts into the catalog is off: it has had wrong results.
    """
    return {
        "data_path": f"{settings.data_address}/",
        "override_data_path": True,
        "data_inlining_row_limit": 0,
        **catalog_of(settings).attach_options,
    }


def attach_sql(settings: Settings, opened: Opened | None = None, *, read_only: bool = False) -> str:
    """The ATTACH statement, of the catalog as it is opened here, or where it is."""
    options = [
        f"{name} {literal(value) if isinstance(value, str) else str(value).lower()}"
        for name, value in attach_options(settings).items()
    ]
    if read_only:
        options.append("read_only")
    opened = opened or catalog_of(settings).to_open(read_only=False)
    address = literal(f"ducklake:{opened.address}")
    return f"attach {address} as {DATABASE} ({', '.join(options)})"
