"""What is said of completeness behind the models: the sums, and whether they hold."""

import dagster as dg

from orchestration.audit.problems import problems
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

COMPLETENESS = dg.AssetKey([Settings().schema_name, "completeness"])

ACCOUNTED_FOR = dg.AssetCheckKey(COMPLETENESS, "every_line_is_accounted_for")


def completeness_result(
    context: dg.AssetExecutionContext, settings: Settings
) -> dg.MaterializeResult[None]:
    """Show the sums, and by which messages they do not hold."""
    with connect(settings, read_only=True) as con:
        wrong = problems(con, settings)
        names = (
            *("received", "loaded", "rejected", "waiting", "rows", "duplicate"),
            *("folded", "conflicting", "unread_times"),
        )
        sums = ", ".join(f"sum({name})::bigint" for name in names)
        totals = con.execute(f"select {sums} from raw.completeness").fetchone()  # noqa: S608
    for problem in wrong:
        context.log.error(str(problem))
    return dg.MaterializeResult(
        asset_key=COMPLETENESS,
        metadata={name: total or 0 for name, total in zip(names, totals or (), strict=False)},
        check_results=[
            dg.AssetCheckResult(
                passed=not wrong,
                severity=dg.AssetCheckSeverity.ERROR,
                asset_key=COMPLETENESS,
                check_name=ACCOUNTED_FOR.name,
                metadata={"problems": [str(problem) for problem in wrong]},
            )
        ],
    )
