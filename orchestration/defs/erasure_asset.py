"""Erasure as an asset of its own, every hour: whom Segment's `delete` notifications name."""

import dagster as dg

from orchestration.erasure.erase import forget_notified
from orchestration.settings import Settings

GROUP = "upkeep"


@dg.asset(
    group_name=GROUP,
    kinds={"python"},
    description="Erases everywhere those whom Segment's `delete` notifications name, and finishes "
    "erasures that were cut short. raw.erasure has who, by hash, and when.",
)
def erasure(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Erase, and show how much; nothing that is logged holds an id."""
    done = forget_notified(Settings())
    if done.found:
        context.log.warning("An id is still in %s", ", ".join(done.found))
    return dg.MaterializeResult(
        metadata={"people": done.people, "lines": done.lines, "files": done.files}
    )


erasure_job = dg.define_asset_job("erase", selection=[erasure])

erase_hourly = dg.ScheduleDefinition(
    name="erase_hourly",
    job=erasure_job,
    cron_schedule="41 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at a minute when nothing else is planned.",
)
