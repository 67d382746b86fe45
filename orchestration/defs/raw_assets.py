"""The raw tables as assets: one step loads all that is selected in one pass."""

from collections.abc import Iterator, Mapping
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
    log_load(context, loaded)
    yield from loaded_tables(settings, dict.fromkeys(folders, datetime.now(UTC)), loaded.load_ids)


def load_or_restore(settings: Settings, folders: tuple[str, ...], progress: Progress) -> Loaded:
    """Load the sealed files of some tables.

    Raises:
        dg.Failure: the warehouse was lost; its raw tables have been made again instead.
    """
    try:
        return load(settings, folders, progress)
    except WarehouseBehindError:
        raise restored_instead(settings, progress) from None


def restored_instead(settings: Settings, progress: Progress) -> dg.Failure:
    """Make the raw tables of a lost warehouse again; return what the step fails with."""
    restored = restore_if_behind(settings, progress)
    return dg.Failure(
        "The warehouse was lost, and its raw tables have been made again from the landed and "
        "archived files. The next run brings all models up to date, and loads what waits. "
        + what_is_not_restored(restored.folders if restored else [])
    )


def log_load(context: dg.AssetExecutionContext, loaded: Loaded) -> None:
    """Say in the run's log what a load has done."""
    for name in loaded.conflicts:
        context.log.error("%s was loaded before with other contents: put aside", name)
    if loaded.files:
        context.log.info("%s", loaded)


def loaded_tables(
    settings: Settings, shown: Mapping[str, datetime], load_ids: list[int]
) -> Iterator[dg.MaterializeResult[None]]:
    """What is said of some raw tables behind loads.

    Args:
        settings: Where the warehouse is.
        shown: The tables, with the times at which their oldest new rows could be read.
        load_ids: The loads.
    """
    with connect(settings, read_only=True) as con:
        for folder, at in shown.items():
            yield dg.MaterializeResult(
                asset_key=raw_key(folder), metadata=raw_metadata(con, folder, load_ids, at)
            )


def _progress(context: dg.AssetExecutionContext) -> Progress:
    def progress(done: int, total: int) -> None:
        context.log.info("%d of %d done", done, total)

    return progress
