"""What Dagster sees: workspace.yaml names this module."""

import dagster as dg

from orchestration.completeness_asset import completeness
from orchestration.dbt_assets import models
from orchestration.raw_assets import raw_tables
from orchestration.sensor import load_job, sealed_files

defs = dg.Definitions(
    assets=[raw_tables, models, completeness],
    jobs=[load_job],
    sensors=[sealed_files],
    # All steps in one process: a second one costs more than the whole load.
    executor=dg.in_process_executor,
)
