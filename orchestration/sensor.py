"""When to load: one sensor looks for sealed files and asks for one run."""

import time

import dagster as dg

from orchestration.loading import behind, landed_file, writer_lock
from orchestration.loading.load import is_restoring
from orchestration.loading.loads import last_load
from orchestration.loading.tables import REJECTED
from orchestration.raw_assets import raw_key
from orchestration.settings import Settings

SILENT_SECONDS = 60
"""A run without an event for so long, while nobody writes, has died."""

_ON_ITS_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

_WITHOUT_SUCCESS = {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}

UPKEEP = "upkeep"
"""The group of the assets that have a schedule of their own."""

RETRY_SECONDS = 30
"""The pause after a failed run, so that one that cannot succeed does not run all the time."""

load_job = dg.define_asset_job(
    "load",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(UPKEEP),
    description="Load what is sealed, bring the models up to date, count what became of each line.",
)


@dg.sensor(
    job=load_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when there are sealed files and no run is on its way.",
)
def sealed_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run for all tables with news.

    It keeps no cursor: what is loaded is the ledger's to know, and a sealed file in its folder is
    by definition not loaded.
    """
    settings = Settings()
    running = runs_on_their_way(context.instance, settings)
    if running:
        return dg.SkipReason(f"Run {running[0]} is on its way; it, or the next, loads the rest.")
    failed = failed_seconds_ago(context.instance)
    if failed is not None and failed < RETRY_SECONDS:
        return dg.SkipReason(f"The last run failed; another is tried after {RETRY_SECONDS} s.")
    if failed is not None:
        return dg.SensorResult(run_requests=[dg.RunRequest()])
    if is_warehouse_lost(settings):
        return dg.SensorResult(run_requests=[dg.RunRequest()])
    folders = landed_file.waiting_folders(settings.landing)
    folders += behind.calls_behind(settings)  # loaded by a process that died before dbt
    if not folders:
        return dg.SkipReason(f"No sealed file waits in {settings.landing}.")
    return dg.SensorResult(run_requests=[dg.RunRequest(asset_selection=_with_models(folders))])


def is_warehouse_lost(settings: Settings) -> bool:
    """Whether loads of the journal have to be made again, as far as the files tell."""
    if is_restoring(settings.landing):
        return True
    return not settings.catalog.exists() and last_load(settings.landing) > 0


def failed_seconds_ago(instance: dg.DagsterInstance) -> float | None:
    """How long ago the last load run ended without success; None if it did not.

    What it had loaded is in the raw tables, and the models may lack it: a run over everything
    brings them up to date.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=load_job.name), limit=1)
    if not records or records[0].dagster_run.status not in _WITHOUT_SUCCESS:
        return None
    return time.time() - records[0].update_timestamp.timestamp()


def _with_models(folders: list[str]) -> list[dg.AssetKey]:
    """The raw tables with news, what could not be used, and the models that read them."""
    from orchestration.completeness_asset import COMPLETENESS  # noqa: PLC0415 - reads the manifest
    from orchestration.dbt_assets import models  # noqa: PLC0415

    raw = {raw_key(folder) for folder in [*folders, REJECTED]}
    wanted = set(raw)
    grown = True
    while grown:
        more = {
            spec.key
            for spec in models.specs
            if spec.key not in wanted and wanted & {dep.asset_key for dep in spec.deps}
        }
        wanted |= more
        grown = bool(more)
    return sorted({*wanted, COMPLETENESS})


def runs_on_their_way(
    instance: dg.DagsterInstance, settings: Settings, job: str = "load"
) -> list[str]:
    """The ids of a job's runs that have not ended, after failing those that have died.

    A run worker that is killed leaves its run STARTED for ever. The writer's lock, which the
    kernel frees, tells a slow run from a dead one.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ON_ITS_WAY))
    alive = []
    for record in records:
        run = record.dagster_run
        last_sign = record.update_timestamp.timestamp()
        newest = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
        if newest:
            last_sign = max(last_sign, newest[0].timestamp)
        if time.time() - last_sign > SILENT_SECONDS and not writer_lock.is_held(settings):
            instance.report_run_failed(
                run,
                f"The run gave no sign for {SILENT_SECONDS} s and nobody is writing to the "
                "warehouse: its process has died. Nothing is lost; the next run loads what waits.",
            )
        else:
            alive.append(run.run_id)
    return alive
