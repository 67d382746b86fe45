"""The upkeep as assets: one job, every hour, on without anybody switching it on."""

import dagster as dg

from orchestration.defs.sensor import UPKEEP, runs_on_their_way
from orchestration.settings import Settings
from orchestration.upkeep import archives as files
from orchestration.upkeep import dagster_storage as storage
from orchestration.upkeep import orphans as orphaned
from orchestration.upkeep import parquet_files as parquet
from orchestration.upkeep.keep_small import MINUTE, shrink_catalog
from orchestration.upkeep.load_reports import forget_old_reports
from orchestration.upkeep.snapshots import expire_snapshots
from orchestration.warehouse.catalogs import catalog_of


@dg.asset(key=["upkeep", "archives"], group_name=UPKEEP)
def archives() -> dg.MaterializeResult[None]:
    """Loaded files packed by the hour, and old archives removed."""
    done = files.pack_loaded_files(Settings())
    return dg.MaterializeResult(metadata={**vars(done)})


@dg.asset(key=["upkeep", "load_reports"], group_name=UPKEEP)
def load_reports() -> dg.MaterializeResult[None]:
    """Old reports of loads removed, and the counts of what was not stored brought up to date."""
    done = forget_old_reports(Settings())
    return dg.MaterializeResult(metadata={**vars(done)})


@dg.asset(key=["upkeep", "parquet_files"], group_name=UPKEEP, deps=[load_reports])
def parquet_files() -> dg.MaterializeResult[None]:
    """Small Parquet files written together, and files rewritten without their deleted rows."""
    done = parquet.rewrite_small_files(Settings())
    return dg.MaterializeResult(metadata={**vars(done)})


@dg.asset(key=["upkeep", "snapshots"], group_name=UPKEEP, deps=[parquet_files])
def snapshots() -> dg.MaterializeResult[None]:
    """Snapshots expired, and the files that only they needed removed."""
    done = expire_snapshots(Settings())
    return dg.MaterializeResult(metadata={**vars(done)})


@dg.asset(key=["upkeep", "orphans"], group_name=UPKEEP, deps=[snapshots])
def orphans() -> dg.MaterializeResult[None]:
    """Files removed that a writer which was killed had begun to write."""
    files, size = orphaned.remove_orphans(Settings())
    return dg.MaterializeResult(metadata={"files_removed": files, "bytes_removed": size})


@dg.asset(key=["upkeep", "catalog"], group_name=UPKEEP, deps=[orphans])
def catalog() -> dg.MaterializeResult[None]:
    """The catalog without its free pages, if they were many."""
    settings = Settings()
    kept = catalog_of(settings)
    before = kept.size()
    waited = shrink_catalog(settings)
    return dg.MaterializeResult(
        metadata={
            "bytes_before": before,
            "bytes_after": kept.size(),
            "longest_lock_seconds": waited,
        }
    )


@dg.asset(
    key=["upkeep", "dagster_storage"],
    group_name=UPKEEP,
    required_resource_keys={"run_process"},
)
def dagster_storage(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Old runs removed with their events and logs, and old ticks."""
    done = storage.purge(context.instance, Settings())
    return dg.MaterializeResult(metadata={**vars(done)})


upkeep_assets = [
    archives,
    load_reports,
    parquet_files,
    snapshots,
    orphans,
    catalog,
    dagster_storage,
]

upkeep_job = dg.define_asset_job(
    "upkeep",
    selection=dg.AssetSelection.assets(*upkeep_assets),
    description="Keep the warehouse and Dagster's own storage small.",
    # the writer's lock may be taken for as long as a backlog is being loaded
    op_retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
)


@dg.schedule(
    job=upkeep_job,
    cron_schedule=f"{MINUTE} * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Asks for the upkeep every hour, unless it is still on its way.",
)
def every_hour(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run."""
    running = runs_on_their_way(context.instance, Settings(), upkeep_job.name)
    if running:
        return dg.SkipReason(
            f"Run {running[0]} of an earlier hour is still at it; the next hour asks again."
        )
    return dg.RunRequest()
