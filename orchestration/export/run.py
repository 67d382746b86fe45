"""Export to what the settings name, a table after the other.

Loads and readers go on meanwhile: an export reads the warehouse as anybody does.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import duckdb
from filelock import FileLock, Timeout

from landed.errors import ReportedError
from landed.object_store import StoreError
from orchestration.durable_files import make_folder
from orchestration.export import parquet, raw
from orchestration.export.changes import Exported
from orchestration.export.errors import ExportBusyError, ExportFailedError
from orchestration.export.places import RAW, place_of
from orchestration.export.snapshot import SnapshotExpiredError, TableSnapshot, newest
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE

_TIMES = 3
"""How often a table is begun before it is left to the next export."""

Done = Iterator[tuple[str, Exported]]
"""What was done with each table; that some could not be exported is raised behind the others."""


def export_parquet(settings: Settings, tables: Collection[str] = ()) -> Done:
    """Bring Parquet files of final tables up to date, as `parquet` says.

    Args:
        settings: Where the warehouse is, and the files.
        tables: The tables; all that are there if none is named.

    Raises:
        ExportBusyError: another export is still at it; nothing was done.
        ExportFailedError: some tables could not be exported; the next export does what is left.
        StoreError: the bucket can never be used.
        WarehouseMissingError: nothing has been loaded yet.
    """
    if settings.export_parquet is None:
        return
    with _alone_here(settings, "parquet"), connect(settings, read_only=True) as con:
        place = place_of(settings.export_parquet, settings.dagster_home / "exporting")
        schema = settings.schema_name
        yield from _each(con, schema, tables, lambda table: parquet.export(table, place))


def export_raw(settings: Settings, _tables: Collection[str] = ()) -> Done:
    """Bring Parquet files of the raw tables up to date, as `raw` says.

    Args:
        settings: Where the warehouse is, and the files.
        _tables: Not asked: the tables are of one moment, so they are exported together.

    Raises:
        ExportBusyError: another export is still at it; nothing was done.
        ExportFailedError: they could not be exported; the next export does what is left.
        StoreError: the bucket can never be used.
        WarehouseMissingError: nothing has been loaded yet.
    """
    if settings.export_raw is None:
        return
    with _alone_here(settings, "raw"), connect(settings, read_only=True) as con:
        place = place_of(settings.export_raw, settings.dagster_home / "exporting-raw", RAW)
        try:
            yield from raw.export(con, settings.schema_name, place)
        except StoreError as error:
            if error.is_lasting:
                raise
            raise ExportFailedError(f"Not exported: raw tables. {error.message}") from error
        except (OSError, duckdb.Error) as error:
            why = " ".join(str(error).split())
            raise ExportFailedError(f"Not exported: raw tables. {why}") from error


def export_postgres(settings: Settings, tables: Collection[str] = ()) -> Done:
    """Bring final tables in a PostgreSQL database up to date, as `postgres` says.

    Args:
        settings: Where the warehouse is, and the database.
        tables: The tables; all that are there if none is named.

    Raises:
        ExportBusyError: another export is still at it; nothing was done.
        ExportFailedError: some tables could not be exported; the next export does what is left.
        WarehouseMissingError: nothing has been loaded yet.
    """
    if settings.export_postgres is None:
        return
    from orchestration.export.postgres import Target  # noqa: PLC0415 - only for who has one
    from orchestration.export.postgres_database import alone  # noqa: PLC0415

    address, schema = settings.export_postgres, settings.schema_name
    with alone(address, schema), connect(settings, read_only=True) as con:
        yield from _each(con, schema, tables, Target(con, address, schema).export)


def _each(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    tables: Collection[str],
    export: Callable[[TableSnapshot], Exported],
) -> Done:
    """Export each table that is there; one that cannot be exported keeps no other from it."""
    there = columns_in(con, schema)
    failed: dict[str, list[str]] = {}
    for table in tables or WITH_TABLE:
        if table in there:
            try:
                done = _in_one_snapshot(con, schema, table, export)
                yield table, done
            except ReportedError as error:
                if isinstance(error, StoreError) and error.is_lasting:
                    raise
                failed.setdefault(error.message, []).append(table)
            except (OSError, duckdb.Error) as error:
                failed.setdefault(" ".join(str(error).split()), []).append(table)
            else:
                for problem in done.problems:
                    failed.setdefault(problem, []).append(table)
    if failed:
        raise ExportFailedError(
            " ".join(f"Not exported: {', '.join(names)}. {why}" for why, names in failed.items())
        )


def _in_one_snapshot(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    export: Callable[[TableSnapshot], Exported],
) -> Exported:
    """Export a table as it is in one snapshot; in a newer one if that expires meanwhile."""
    for _ in range(_TIMES):
        now = newest(con, schema, table)
        try:
            return export(now)
        except (ReportedError, OSError, duckdb.Error):
            if now.is_there:
                raise
    raise SnapshotExpiredError


@contextmanager
def _alone_here(settings: Settings, kind: str) -> Iterator[None]:
    make_folder(settings.dagster_home)
    lock = FileLock(settings.dagster_home / f"export-{kind}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ExportBusyError(kind) from None
    try:
        yield
    finally:
        lock.release()
