"""When to load: one sensor looks for sealed files and asks for one run."""

import itertools
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import dagster as dg

from orchestration.defs import run_process
from orchestration.loading.journal import last_load
from orchestration.loading.load import mark_of_earlier_versions
from orchestration.models import back_off
from orchestration.models.pending_models import pending
from orchestration.settings import Settings
from orchestration.warehouse.locks import WRITER
from orchestration.warehouse.writer_lock import is_held

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

FAILED_MODELS = "seamline/failed_models"
"""The tag of a run that failed for nothing but these models."""

STAYS = "seamline/stays"
"""The tag of a run that goes on while news keeps coming (orchestration/defs/staying.py)."""

DID_ITS_WORK = "seamline/did_its_work"
"""The tag of a run that has loaded all that it was asked for; what comes is more."""

LOAD = "load"
"""The job's name."""

_LOOKED_AT = 20
"""Runs that are asked for to see how many failed one after the other."""


@dg.sensor(
    job_name=LOAD,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run when there are sealed files and no run is on its way.",
)
def sealed_files(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for one run for all tables with news.

    It keeps no cursor: what is loaded and modelled is the warehouse's to know, and a sealed file
    in its folder is by definition not loaded.
    """
    settings = Settings()
    running = runs_on_their_way(context.instance, settings)
    if running:
        return dg.SkipReason(
            f"Run {running[0]} is on its way: it loads what waits, and the next one what it leaves."
        )
    failures = failures_in_a_row(context.instance)
    if failures is not None:
        due = failures.ended + back_off.pause(failures.number)
        if time.time() < due:
            before = failures.number - 1
            others = f", as did the {before} before it" if before else ""
            return dg.SkipReason(
                f"Run {failures.run_id} failed{others}; its page says why. The next try is at "
                f"{_clock(due)}: the pause doubles with each failure, up to "
                f"{back_off.LONGEST_SECONDS // 60} minutes. Nothing is lost meanwhile."
            )
        # over everything: what it had loaded may not be in the models yet
        return dg.SensorResult(run_requests=[dg.RunRequest(tags={STAYS: "true"})])
    if is_warehouse_lost(settings):
        return dg.SensorResult(run_requests=[dg.RunRequest()])
    return _what_is_new(settings)


def _what_is_new(settings: Settings) -> dg.SensorResult | dg.SkipReason:
    """Ask for what waits and its models, without those that rest after a failure of their own."""
    from orchestration.defs.completeness_result import (  # noqa: PLC0415 - reads the manifest
        ACCOUNTED_FOR,
        COMPLETENESS,
    )
    from orchestration.defs.news import news  # noqa: PLC0415

    known = pending(settings)
    found = news(settings, known)
    if not found and not known.is_uncounted:
        rest = what_rests(found.failing)
        unknown = f"What the models lack is not known: {known.problem}" if known.problem else ""
        said = (f"No sealed file waits in {settings.landing}.", rest, unknown)
        return dg.SkipReason(" ".join(sentence for sentence in said if sentence))
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                asset_selection=sorted(found.assets()) if found else [COMPLETENESS],
                asset_check_keys=[ACCOUNTED_FOR],
                tags={STAYS: "true"},
            )
        ]
    )


def what_rests(failing: Mapping[str, back_off.Failing]) -> str:
    """Which models rest, and until when, in a sentence; nothing if none does."""
    if not failing:
        return ""
    names = ", ".join(
        f"{name} (failed {'once' if model.times == 1 else f'{model.times} times'}; the next try is "
        f"at {_clock(model.due)})"
        for name, model in sorted(failing.items())
    )
    return f"Of the models these rest, as they failed, and all others go on: {names}."


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"


def is_warehouse_lost(settings: Settings) -> bool:
    """Whether loads of the journal have to be made again."""
    if mark_of_earlier_versions(settings.landing).exists():
        return True
    last = last_load(settings.landing)  # first: the journal follows the warehouse
    known = pending(settings)
    return known.is_half_restored or known.last_load < last


class Failures(NamedTuple):
    """The load's newest runs, as far as all of them failed."""

    number: int
    run_id: str
    """The newest of them."""
    ended: float
    """When it did, in seconds since 1970."""


def failures_in_a_row(instance: dg.DagsterInstance) -> Failures | None:
    """How often the load has failed since it last did what it can; None if it did not.

    A run in which nothing but models failed has done that: these rest by themselves. So has one
    that had done its work and stayed for more when it was killed or cancelled.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=LOAD), limit=_LOOKED_AT)
    failed = list(itertools.takewhile(_could_do_nothing, records))
    if not failed:
        return None
    newest = failed[0]
    return Failures(len(failed), newest.dagster_run.run_id, newest.update_timestamp.timestamp())


def _could_do_nothing(record: dg.RunRecord) -> bool:
    run = record.dagster_run
    return run.status in _WITHOUT_SUCCESS and not {FAILED_MODELS, DID_ITS_WORK} & run.tags.keys()


def runs_on_their_way(
    instance: dg.DagsterInstance, settings: Settings, job: str = LOAD, *, lock: str = WRITER
) -> list[str]:
    """The ids of a job's runs that have not ended, after failing those that have died.

    A run worker that is killed leaves its run STARTED for ever. The file that its process holds,
    which the kernel frees, tells a slow run from a dead one; before there is one, the lock does.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=_ON_ITS_WAY))
    alive = []
    for record in records:
        run = record.dagster_run
        is_alive = run_process.is_alive(settings, run.run_id)
        if is_alive is None and _is_silent(instance, record) and not is_held(settings, lock):
            _fail(instance, run, f"It gave no sign for {SILENT_SECONDS} s and nobody has {lock}")
        elif is_alive is False:
            _fail(instance, run, "Nobody holds its file any more")
            run_process.forget(settings, run.run_id)
        else:
            alive.append(run.run_id)
    return alive


def _is_silent(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    last_sign = record.update_timestamp.timestamp()
    newest = instance.get_records_for_run(record.dagster_run.run_id, limit=1, ascending=False)
    if newest.records:
        last_sign = max(last_sign, newest.records[0].timestamp)
    return time.time() - last_sign > SILENT_SECONDS


def _fail(instance: dg.DagsterInstance, run: dg.DagsterRun, why: str) -> None:
    instance.report_run_failed(
        run,
        f"{why}: the run's process has died. Nothing is lost; the next run does what it had to do.",
    )
