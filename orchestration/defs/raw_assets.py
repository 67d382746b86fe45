"""The raw tables as assets: one step loads all that is selected in one pass."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from landed.folders import FOLDERS, REJECTED
from orchestration.defs.landing_assets import LANDING
from orchestration.defs.source_assets import RAW, source_metadata
from orchestration.defs.table_metadata import raw_metadata
from orchestration.loading.load import Loaded, Progress, WarehouseBehindError, load
from orchestration.models.run import run_all_models
from orchestration.recovery.restore import restore_if_behind, what_is_not_restored
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

RESTORED = "seamline/restored"
"""The tag of a run that has made a lost warehouse again."""


def raw_key(folder: str) -> dg.AssetKey:
    """The asset of a raw table; dbt's source of the same name has the same key."""
    return dg.AssetKey([RAW, folder])


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
        group_name=RAW,
        kinds={"duckdb", "table"},
        metadata=source_metadata(RAW, folder),
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
    loaded = load_or_restore(context, settings, folders, _progress(context))
    log_load(context, loaded)
    yield from loaded_tables(settings, dict.fromkeys(folders, datetime.now(UTC)), loaded.load_ids)


def load_or_restore(
    context: dg.AssetExecutionContext,
    settings: Settings,
    folders: tuple[str, ...],
    progress: Progress,
) -> Loaded:
    """Load the sealed files of some tables; a warehouse that was lost is first made again.

    All models are then brought up to date at once, as the run may be for some of them alone.

    Raises:
        DbtFailedError: one of our models could not be.
    """
    try:
        return load(settings, folders, progress)
    except WarehouseBehindError:
        make_again(context, settings, progress)
    loaded = load(settings, folders, progress)
    run_all_models(settings)
    return loaded


def make_again(context: dg.AssetExecutionContext, settings: Settings, progress: Progress) -> None:
    """Make the raw tables of a warehouse that was lost again, and let the run say so."""
    restored = restore_if_behind(settings, progress)
    if restored:
        context.instance.add_run_tags(context.run.run_id, {RESTORED: f"{restored.files} files"})
        context.log.warning(
            "The warehouse was lost, and its raw tables have been made again from %d landed and "
            "archived files; the models follow. %s",
            restored.files,
            what_is_not_restored(restored.folders),
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
