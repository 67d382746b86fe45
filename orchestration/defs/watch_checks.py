"""The checks of `orchestration.audit.checks` in Dagster: by the clock, and behind loads."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

import dagster as dg

from landed.folders import REJECTED
from orchestration.audit.checks import CHECKS, look_at
from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.landing_assets import LANDING, SOURCES
from orchestration.defs.raw_assets import raw_key
from orchestration.defs.report_assets import reports
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseMissingError
from orchestration.warehouse.raw_tables import is_current

FILES_WAIT = "files_wait"

_ASSETS = {
    **dict.fromkeys((FILES_WAIT, "store_is_asked", "disk_is_free", "quotas_are_kept"), LANDING),
    **dict.fromkeys(("sources_send", "volume_is_usual", "clocks_are_right"), SOURCES),
    "rejects_are_few": raw_key(REJECTED),
}
"""What a check is about, where that is not all of the warehouse."""

_SPECS = {
    check.name: dg.AssetCheckSpec(
        check.name,
        asset=_ASSETS.get(check.name, COMPLETENESS),
        blocking=False,  # an alarm: no load waits for it
        description=check.description,
    )
    for check in CHECKS
}

WATCHED = [spec.key for spec in _SPECS.values()]
"""All of these checks."""


@dg.multi_asset_check(
    name="watch_checks",
    specs=list(_SPECS.values()),
    can_subset=True,
    description="What somebody should look at (docs/operating.md). They read counts alone.",
)
def watch_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Make the selected checks; if no file waits for long, `landing` is as fresh as it can be."""
    for result in evaluate(Settings(), datetime.now(UTC), context.selected_asset_check_keys):
        if result.check_name == FILES_WAIT and result.passed:
            context.op_execution_context.log_event(
                dg.AssetMaterialization(LANDING, metadata=result.metadata)
            )
        yield result


def evaluate(
    settings: Settings, now: datetime, keys: Collection[dg.AssetCheckKey] = WATCHED
) -> Iterator[dg.AssetCheckResult]:
    """Say what each check finds; nothing before the first load, or the one behind an update.

    Args:
        settings: The settings.
        now: The time, in UTC.
        keys: The checks to make.
    """
    try:
        with connect(settings, read_only=True) as con:
            if not is_current(con):
                return
            look = look_at(con, settings, now)
            for check in CHECKS:
                key = _SPECS[check.name].key
                if key in keys:
                    found = check.look(look)
                    yield dg.AssetCheckResult(
                        passed=not found.problems,
                        severity=dg.AssetCheckSeverity.WARN,
                        asset_key=key.asset_key,
                        check_name=key.name,
                        description="\n".join(found.problems) or None,
                        metadata={**found.figures},
                    )
    except WarehouseMissingError:
        return


watch_job = dg.define_asset_job(
    "watch",
    selection=dg.AssetSelection.checks(watch_checks)
    | dg.AssetSelection.assets(*reports.keys).without_checks(),
    description="Look at what somebody should know of; what it finds fails no run and no load.",
)

watch_schedule = dg.ScheduleDefinition(
    name="watch_every_quarter",
    job=watch_job,
    cron_schedule="11-59/15 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Four times an hour, so that silence is heard too.",
)
