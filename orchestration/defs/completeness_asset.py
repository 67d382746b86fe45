"""Completeness as an asset behind the models, and the check that its sums hold."""

from collections.abc import Iterator

import dagster as dg

from orchestration.audit.problems import problems
from orchestration.defs.dbt_assets import models
from orchestration.defs.raw_assets import raw_tables
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

COMPLETENESS = dg.AssetKey([Settings().schema_name, "completeness"])

ACCOUNTED_FOR = dg.AssetCheckKey(COMPLETENESS, "every_line_is_accounted_for")


@dg.asset(
    key=COMPLETENESS,
    deps=[*raw_tables.keys, *models.keys],
    group_name=Settings().schema_name,
    kinds={"duckdb"},
    description="What became of every landed line, per call, source and hour: received = loaded + "
    "rejected + waiting, and loaded = rows + duplicate. Counted behind each run of the models. "
    "Beside them: `folded`, duplicates whose sender gave no messageId, so that they may be events "
    "of their own; `conflicting`, duplicates that another source sent than the row's and that do "
    "not say the same, listed in the view `conflict`; `unread_times`, rows with a time that was "
    "sent and cannot be read.",
    check_specs=[
        dg.AssetCheckSpec(
            ACCOUNTED_FOR.name,
            asset=COMPLETENESS,
            blocking=False,  # it is an alarm: what was loaded is loaded, and the next load goes on
            description="Both sums hold for every call, source and hour.",
        )
    ],
)
def completeness(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[None]]:
    """Show the sums, and by which messages they do not hold."""
    settings = Settings()
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
    yield dg.MaterializeResult(
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
