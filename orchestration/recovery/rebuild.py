"""`make rebuild`: the whole warehouse anew from the landed and archived files.

It is made beside the old one, and takes its place when it is whole:
people query the old one until then, and a death before that changes nothing.
"""

import logging
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, suppress
from multiprocessing import get_context
from typing import Any

import duckdb

from landed.folders import FOLDERS
from orchestration.columns.update import changes_of, take_over_changes
from orchestration.errors import RebuildRefusedError
from orchestration.loading import journal
from orchestration.loading.archive import LOADED, DamagedArchiveError, archives, read_archive
from orchestration.loading.insert import known_checksums
from orchestration.loading.load import Progress, mark_of_earlier_versions
from orchestration.models import command
from orchestration.models.run import run_all_models
from orchestration.models.schema_name import refuse_another_name
from orchestration.recovery.ownership import users_things
from orchestration.recovery.restore import Restored, restore
from orchestration.recovery.user_notes import Notes, add_notes, notes_of
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.errors import (
    CatalogFullError,
    WarehouseMissingError,
    WarehouseUnusableError,
)
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock

log = logging.getLogger(__name__)


def rebuild(
    settings: Settings, *, without: bool = False, progress: Progress | None = None
) -> Restored:
    """Make the warehouse again, run all models on it, and put it in the place of the old one.

    The writer's lock is held all the time: loads wait, the receiver goes on.

    Args:
        settings: Where the warehouse and the files are.
        without: Do it even if files are missing, whose events are then in no table any more.
        progress: Told how many loads of how many are done.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
        RebuildRefusedError: files are missing, or a user's tables would be; nothing was changed.
        DbtFailedError: one of our models failed; nothing was changed.
    """
    beside = _beside(settings)
    with writer_lock(settings), ExitStack() as unfinished:
        new = catalog_of(beside)
        new.remove()
        unfinished.callback(new.remove)
        _complete_journal(settings)
        notes, changes = _refuse_to_lose_others(settings)
        with writer_lock(beside), connect(beside) as con:
            create_raw_tables(con)
            restored = restore(con, beside, progress)
            take_over_changes(con, changes)
            strays = list(_not_loaded(con, settings))
        if (restored.missing or restored.expired or strays) and not without:
            raise RebuildRefusedError(
                f"{len(restored.missing)} files are missing, {restored.expired} have expired with "
                f"their archives, and {len(strays)} are not in the journal; the first: "
                f"{', '.join([*restored.missing, *strays][:3]) or '-'}. "
                "Without them the new warehouse would lack events that the old one may have. "
                "Nothing was changed. `make rebuild WITHOUT=1` builds it without them."
            )
        _run_models(beside)
        if notes:
            with writer_lock(beside), connect(beside) as con:
                add_notes(con, notes)
        unfinished.pop_all()  # from here on it may be the only one
        _take_its_place(settings, beside)
        mark_of_earlier_versions(settings.landing).unlink(missing_ok=True)
    return restored


def _complete_journal(settings: Settings) -> None:
    """Add to the journal what only the old warehouse knows, if it can be read."""
    try:
        with connect(settings) as con:
            create_raw_tables(con)
            journal.catch_up(con, settings.landing)
    except (duckdb.Error, WarehouseUnusableError) as error:
        log.warning("The old warehouse cannot be read, and is not asked: %s", error)


def _refuse_to_lose_others(settings: Settings) -> tuple[Notes | None, list[dict[str, Any]]]:
    """Refuse while the old warehouse, if it can be read, has what no file and no model has.

    Returns:
        What the new one is told of it: a user's notes, and the changes of columns it lists.
    """
    try:
        with connect(settings, read_only=True) as con:
            refuse_another_name(con, settings)
            others = users_things(con, settings)
            notes, changes = notes_of(con), changes_of(con)
    except (duckdb.Error, WarehouseMissingError, WarehouseUnusableError):
        return None, []
    if others:
        raise RebuildRefusedError(
            f"The warehouse has {len(others)} tables, views, macros and columns that are not "
            f"Seamline's and cannot be made from the files: {', '.join(others)}. Nothing was "
            "changed. Copy what you need to files of your own (`copy … to 'x.parquet'`), drop "
            "them, and run it again; then create them from the files."
        )
    return notes, changes


def _not_loaded(con: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[str]:
    """Files that are where loaded files are, and in no load."""
    for folder in FOLDERS:
        names = [path.name for path in (settings.landing / LOADED / folder).glob("*.ndjson")]
        for archive in archives(settings.landing, folder):
            # what is behind damage, or has gone, is missing anyhow
            with suppress(DamagedArchiveError, FileNotFoundError):
                names += [name for name, _ in read_archive(archive)]
        known = known_checksums(con, names)
        yield from sorted(f"{folder}/{name}" for name in names if name not in known)


def _beside(settings: Settings) -> Settings:
    """The same house with another catalog; the Parquet files of both are in one folder."""
    return Settings.model_validate(
        settings.model_dump(by_alias=True) | dict(catalog_of(settings).beside())
    )


def _run_models(beside: Settings) -> None:
    """Run them in a process of its own, with whose end dbt lets go of the new catalog."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(_run_models_here, beside).result()


def _run_models_here(beside: Settings) -> None:
    os.environ["SEAMLINE_WAREHOUSE"] = beside.warehouse
    os.environ["SEAMLINE_CATALOG_SCHEMA"] = beside.catalog_schema
    os.environ["SEAMLINE_WAREHOUSE_DATA"] = beside.data_address
    os.environ["SEAMLINE_COLUMNS"] = str(beside.columns)
    os.environ["SEAMLINE_LANDING"] = str(beside.landing)
    with command.rebuilding():
        run_all_models(beside)


def _take_its_place(settings: Settings, beside: Settings) -> None:
    """Let the catalog be what the new one is.

    Raises:
        RebuildRefusedError: it could not be written, as the disk is full; nothing was changed.
    """
    # orphans from now on, which go in a day, when nobody reads them any more
    place_at(settings.data_address).renew()
    try:
        aside = catalog_of(settings).take_over(beside)
    except CatalogFullError as error:
        raise RebuildRefusedError(
            f"{settings.place} cannot be written to: {error}. Nothing was changed."
        ) from error
    if aside:
        log.info("The old catalog is %s; remove it when nothing is missed.", aside)
