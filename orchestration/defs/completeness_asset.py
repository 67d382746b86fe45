"""Completeness as an asset behind the models, and the check that its sums hold."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.behind_loads import BehindLoads
from orchestration.defs.completeness_result import (
    ACCOUNTED_FOR,
    COMPLETENESS,
    completeness_result,
)
from orchestration.defs.dbt_assets import models, table_of
from orchestration.defs.raw_assets import raw_tables
from orchestration.defs.sensor import STAYS
from orchestration.defs.staying import Event, events_of, more_passes
from orchestration.models.run import count_lines
from orchestration.settings import Settings


@dg.asset(
    key=COMPLETENESS,
    deps=[*raw_tables.keys, *models.keys],
    group_name=Settings().schema_name,
    kinds={"dbt", "duckdb", "view"},
    metadata=table_of("completeness"),
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
    required_resource_keys={"run_process"},
)
def completeness(
    context: dg.AssetExecutionContext,
) -> Iterator[dg.MaterializeResult[None] | Event]:
    """Show the sums, and by which messages they do not hold; then do what comes meanwhile."""
    settings = Settings()
    chosen = context.run.asset_selection
    if chosen is not None and not chosen & models.keys:  # which count behind themselves
        count_lines(settings)
    yield completeness_result(context, settings)
    if STAYS in context.run.tags:
        yield from more_passes(context, settings)
    else:
        for result in BehindLoads(context, settings).look_at_the_end():
            yield from events_of(result)
