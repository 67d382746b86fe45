"""The exported tables as assets, brought up to date every hour; none if nothing is exported."""

from collections.abc import Callable, Iterable, Iterator

import dagster as dg

from orchestration.defs.asset_details import with_details
from orchestration.defs.sensor import runs_on_their_way
from orchestration.export.run import Done, export_parquet, export_postgres, export_raw
from orchestration.settings import Settings
from orchestration.warehouse.raw_tables import WITH_TABLE

GROUP = "export"
MINUTE = 52
"""Behind the hourly erasure, so that who was erased is soon in no exported file either."""

Export = Callable[[Settings, list[str]], Done]


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of what the settings name, with a job and its schedule.

    Args:
        settings: What is exported to.
    """
    assets = []
    if settings.export_parquet is not None:
        assets.append(_exported("parquet", export_parquet, "Parquet files by day of receipt"))
    if settings.export_raw is not None:
        what = "what its models read on Apache Spark"
        assets.append(_exported("raw_parquet", export_raw, what))
    if settings.export_postgres is not None:
        assets.append(_exported("postgres", export_postgres, "a table of a PostgreSQL database"))
    if not assets:
        return dg.Definitions()
    job = dg.define_asset_job(
        GROUP,
        selection=dg.AssetSelection.assets(*assets),
        description="Bring exported tables up to date with what has changed.",
    )
    return dg.Definitions(assets=with_details(assets), jobs=[job], schedules=[export_hourly])


def _exported(kind: str, export: Export, what: str) -> dg.AssetsDefinition:
    schema = Settings().schema_name

    @dg.multi_asset(
        name=kind,
        specs=[
            dg.AssetSpec(
                [kind, call],
                deps=[dg.AssetKey([schema, call])],
                group_name=GROUP,
                kinds={kind},
                description=f"`{schema}.{call}` as {what}.",
            )
            for call in WITH_TABLE
        ],
        can_subset=True,
        required_resource_keys={"run_process"},
    )
    def exported(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Export, and say how much it was."""
        keys: Iterable[dg.AssetKey] = context.selected_asset_keys
        tables = sorted(key.path[-1] for key in keys)
        for table, done in export(Settings(), tables):
            if table not in tables:  # what raw tables need beside them
                continue
            yield dg.MaterializeResult(
                asset_key=[kind, table],
                metadata={
                    "dagster/row_count": done.total,
                    "rows_written": done.rows,
                    "parts_written": done.parts,
                    "parts_removed": done.gone,
                    "parts_left_out": len(done.left_out),
                },
            )

    return exported


@dg.schedule(
    name="export_hourly",
    job_name=GROUP,
    cron_schedule=f"{MINUTE} * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Asks for an export every hour, unless one is still on its way.",
)
def export_hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run."""
    running = runs_on_their_way(context.instance, Settings(), GROUP)
    if running:
        return dg.SkipReason(
            f"Run {running[0]} is still exporting; the next hour has what comes meanwhile."
        )
    return dg.RunRequest()
