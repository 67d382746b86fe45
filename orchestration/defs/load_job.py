"""The job that loads: the project's own assets, whatever else a user has added."""

import dagster as dg

from orchestration.defs.completeness_result import ACCOUNTED_FOR, COMPLETENESS
from orchestration.defs.dbt_assets import models
from orchestration.defs.raw_assets import raw_tables
from orchestration.defs.sensor import LOAD

OWN = {*raw_tables.keys, *models.keys, COMPLETENESS}

load_job = dg.define_asset_job(
    LOAD,
    # the tests of whole tables are run when they are asked for, not behind every load
    selection=dg.AssetSelection.assets(*OWN).without_checks()
    | dg.AssetSelection.checks(ACCOUNTED_FOR),
    description="Load what is sealed, bring the models up to date, count what became of each line.",
)
