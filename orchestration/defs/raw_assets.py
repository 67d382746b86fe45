"""The raw tables as assets: one step loads all that is selected in one pass."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from landed.folders import FOLDERS, REJECTED
from orchestration.defs.landing_assets import LANDING
from orchestration.defs.table_metadata import raw_metadata
from orchestration.loading.load import Loaded, Progress, WarehouseBehindError, load
from orchestration.recovery.restore import restore_if_behind, what_is_not_restored
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

GROUP = "raw"


def raw_key(folder: str) -> dg.AssetKey:
    """The asset of a raw table; dbt's source of the same name has the same key."""
    return dg.AssetKey(["raw", folder])


def _spec(folder: str) -> dg.AssetSpec:
    description = (
        f"Every received copy of every `{folder}` call, as it came. One row per received copy."
        if folder != REJECTED
        else "What was authenticated but cannot be used, with its reason and bytes."
    )
    return dg.AssetSpec(
        raw_key(folder),
        deps=[LANDING],
        description=description,
        group_name=GROUP,
        kinds={"duckdb"},
    )


@dg.multi_asset(
    name="load_landed_files", specs=[_spec(folder) for folder in FOLDERS], can_subset=True
)
def raw_tables(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[None]]:
    """Load the sealed files of the selected tables; see `orchestration.loading.load`."""
    settings = Settings()
    folders = tuple(key.path[-1] for key in context.selected_asset_keys)
    loaded = load_or_restore(settings, folders, _progress(context))
    yield from loaded_tables(context, settings, folders, loaded)


def load_or_restore(settings: Settings, folders: tuple[str, ...], progress: Progress) -> Loaded:
    """Load the sealed files of some tables.

    Raises:
        dg.Failure: the warehouse was lost; its raw tables have been made again instead.
    """
    try:
        return load(settings, folders, progress)
    except WarehouseBehindError:
        restored = restore_if_behind(settings, progress)
        raise dg.Failure(
            "The warehouse was lost, and its raw tables have been made again from the landed and "
            "archived files. The next run brings all models up to date, and loads what waits. "
            + what_is_not_restored(restored.folders if restored else [])
        ) from None


def loaded_tables(
    context: dg.AssetExecutionContext,
    settings: Settings,
    folders: tuple[str, ...],
    loaded: Loaded,
) -> Iterator[dg.MaterializeResult[None]]:
    """What is said of some raw tables behind a load."""
    for name in loaded.conflicts:
        context.log.error("%s was loaded before with other contents: put aside", name)
    if loaded.files:
        context.log.info("%s", loaded)
    with connect(settings, read_only=True) as con:
        for folder in folders:
            yield dg.MaterializeResult(
                asset_key=raw_key(folder),
                metadata=raw_metadata(con, folder, loaded.load_ids, datetime.now(UTC)),
            )


def _progress(context: dg.AssetExecutionContext) -> Progress:
    def progress(done: int, total: int) -> None:
        context.log.info("%d of %d done", done, total)

    return progress
