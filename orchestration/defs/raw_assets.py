"""The raw tables as assets: one step loads all that is selected in one pass."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from landed.folders import FOLDERS, REJECTED
from orchestration.defs.landing_assets import LANDING
from orchestration.defs.source_assets import RAW, source_metadata
from orchestration.defs.table_metadata import raw_metadata
from orchestration.loading.load import Loaded, Progress, WarehouseBehindError, load
from orchestration.prepare import run_all_models
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
    yield from loaded_tables(context, settings, folders, loaded)


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
        restored = restore_if_behind(settings, progress)
    if restored:
        context.instance.add_run_tags(context.run.run_id, {RESTORED: f"{restored.files} files"})
        context.log.warning(
            "The warehouse was lost, and its raw tables have been made again from %d landed and "
            "archived files; the models follow. %s",
            restored.files,
            what_is_not_restored(restored.folders),
        )
    loaded = load(settings, folders, progress)
    run_all_models(settings)
    return loaded


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
