"""Erasure as an asset of its own, every hour: whom Segment's `delete` notifications name."""

from collections.abc import Iterator

import dagster as dg

from orchestration.erasure.erase import forget_notified
from orchestration.settings import Settings

GROUP = "upkeep"
NO_ORDER_WAITS = "no_order_waits"
NO_ORDER_IS_REFUSED = "no_order_is_refused"


@dg.asset(
    group_name=GROUP,
    kinds={"python"},
    description="Erases everywhere those whom Segment's `delete` notifications name, and finishes "
    "erasures that were cut short. raw.erasure has who, by hash, when, and by whose order.",
    check_specs=[
        dg.AssetCheckSpec(
            NO_ORDER_WAITS,
            asset="erasure",
            description="No source's notifications name more people than SEAMLINE_DELETE_PEOPLE in "
            "an hour. The others wait; `seamline forget --notified --all` lets them through.",
        ),
        dg.AssetCheckSpec(
            NO_ORDER_IS_REFUSED,
            asset="erasure",
            description="No notification names an id that is blank or shorter than three "
            "characters; `seamline forget --user-id=…` erases a short one all the same.",
        ),
    ],
)
def erasure(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Erase, and show how much; nothing that is logged holds an id."""
    done = forget_notified(Settings())
    if done.found:
        context.log.warning("An id is still in %s", ", ".join(done.found))
    yield dg.MaterializeResult(
        metadata={"people": done.people, "lines": done.lines, "files": done.files},
        check_results=[
            _warning(NO_ORDER_WAITS, passed=not done.waiting, people=done.waiting),
            _warning(NO_ORDER_IS_REFUSED, passed=not done.refused, **done.refused),
        ],
    )


def _warning(name: str, *, passed: bool, **counts: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name, passed=passed, severity=dg.AssetCheckSeverity.WARN, metadata=counts
    )


erasure_job = dg.define_asset_job("erase", selection=[erasure])

erase_hourly = dg.ScheduleDefinition(
    name="erase_hourly",
    job=erasure_job,
    cron_schedule="41 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour at a minute when nothing else is planned.",
)
