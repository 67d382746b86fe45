"""All that Dagster sees, put together."""

import dagster as dg

from orchestration.defs import export_assets, marts, notifications
from orchestration.defs.asset_details import with_details
from orchestration.defs.completeness_asset import completeness
from orchestration.defs.dbt_assets import models
from orchestration.defs.dbt_checks import at_first, checks_job, dbt_checks, every_day
from orchestration.defs.erasure_asset import erase_hourly, erasure, erasure_job
from orchestration.defs.landing_assets import landing_assets
from orchestration.defs.load_job import load_job
from orchestration.defs.raw_assets import raw_tables
from orchestration.defs.repair_jobs import repair_jobs
from orchestration.defs.report_assets import reports
from orchestration.defs.run_process import run_process
from orchestration.defs.sensor import sealed_files
from orchestration.defs.source_assets import source_assets
from orchestration.defs.upkeep_assets import every_hour, upkeep_assets, upkeep_job
from orchestration.defs.watch_checks import watch_checks, watch_job, watch_schedule
from orchestration.settings import Settings

defs = dg.Definitions.merge(
    dg.Definitions(
        assets=with_details(
            [
                *landing_assets,
                *source_assets(set(raw_tables.keys)),
                raw_tables,
                models,
                completeness,
                reports,
                *upkeep_assets,
                erasure,
            ]
        ),
        asset_checks=[dbt_checks, watch_checks],
        jobs=[load_job, upkeep_job, erasure_job, checks_job, watch_job, *repair_jobs],
        sensors=[sealed_files, at_first, *notifications.sensors(Settings())],
        schedules=[every_hour, erase_hourly, every_day, watch_schedule],
        resources={"run_process": run_process},
        # All steps in one process: a second one costs more than the whole load.
        executor=dg.in_process_executor,
    ),
    marts.definitions,
    export_assets.definitions(Settings()),
)
