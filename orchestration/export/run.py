"""Export what the settings name."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from landed.errors import ReportedError
from orchestration.durable_files import make_folder
from orchestration.export import parquet
from orchestration.export.changes import Exported
from orchestration.export.places import place_of
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE


class ExportBusyError(ReportedError):
    """Another export is still at it."""


def export_parquet(settings: Settings, tables: Collection[str] = ()) -> dict[str, Exported]:
    """Bring Parquet files of final tables up to date, as `parquet` says.

    Loads and readers go on meanwhile: it reads the warehouse as anybody does.

    Args:
        settings: Where the warehouse is, and the files.
        tables: The tables; all that are there if none is named.

    Returns:
        What was done with each table.

    Raises:
        ExportBusyError: another export is still at it; nothing was done.
        StoreError: the bucket cannot be used; the next export does what is left.
        WarehouseMissingError: nothing has been loaded yet.
    """
    if settings.export_parquet is None:
        return {}
    with _alone(settings, "parquet"), connect(settings, read_only=True) as con:
        place = place_of(settings.export_parquet, settings.dagster_home / "exporting")
        there = columns_in(con, settings.schema_name)
        return {
            table: parquet.export(con, settings.schema_name, table, place)
            for table in tables or WITH_TABLE
            if table in there
        }


@contextmanager
def _alone(settings: Settings, kind: str) -> Iterator[None]:
    make_folder(settings.dagster_home)
    lock = FileLock(settings.dagster_home / f"export-{kind}.lock")
    try:
        with lock.acquire(timeout=0):
            yield
    except Timeout:
        raise ExportBusyError(
            "Another export is still at it. Nothing was done; the next one has all that is new."
        ) from None
