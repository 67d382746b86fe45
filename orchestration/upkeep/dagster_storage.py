"""Dagster's own storage: old runs with their events and logs.

Dagster itself has a time to keep for ticks alone (`retention` in dagster.yaml). Deleting a run in
Dagster leaves its logs and the SQLite file of its events behind, and what it has of checks: here
the files go of every run that is no more, whoever deleted it, and of a purge that was cut short.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.settings import Settings
from orchestration.warehouse.sqlite_space import BUSY_SECONDS, vacuum

AT_ONCE = 100
"""Runs that are asked for in one query."""

_WENT_WELL = [dg.DagsterRunStatus.SUCCESS]
_DID_NOT = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

_INDEX = "index"
_WITHOUT_RUN = ".db"
"""The file of events that belong to no run, whose id is empty."""


@dataclass
class Purged:
    """What was removed."""

    runs: int = 0
    files: int = 0


def purge(instance: dg.DagsterInstance, settings: Settings) -> Purged:
    """Remove runs that ended longer ago than the settings say, and what is left of any.

    Runs that have not ended stay, however old.
    """
    now = datetime.now(UTC)
    done = Purged()
    for statuses, days in (
        (_WENT_WELL, settings.run_days),
        (_DID_NOT, settings.failed_run_days),
    ):
        ended = dg.RunsFilter(statuses=statuses, updated_before=now - timedelta(days=days))
        while records := instance.get_run_records(ended, limit=AT_ONCE, ascending=True):
            run_ids = [record.dagster_run.run_id for record in records]
            _remove_shared_events(settings, run_ids)
            for run_id in run_ids:
                instance.run_storage.delete_run(run_id)
            done.runs += len(records)
    _remove_checks_without_run(settings, now - timedelta(days=settings.run_days))
    done.files = _remove_files(instance, settings)
    history = settings.dagster_home / "history"
    schedules = settings.dagster_home / "schedules"
    for file in (
        *(history / "runs.db", _events(settings) / "index.db", _events(settings) / _WITHOUT_RUN),
        schedules / "schedules.db",
    ):
        if file.exists():
            vacuum(file)
    return done


def _remove_shared_events(settings: Settings, run_ids: list[str]) -> None:
    """Remove what the index has of runs; Dagster's own way opens the file of each run's events."""
    index = _events(settings) / f"{_INDEX}.db"
    if not index.exists():
        return
    of_them = f"run_id in ({', '.join('?' * len(run_ids))})"
    with closing(sqlite3.connect(index, timeout=BUSY_SECONDS)) as database, database:
        for condition in (
            f"asset_event_tags where event_id in (select id from event_logs where {of_them})",  # noqa: S608 - our own
            f"asset_check_executions where {of_them}",
            f"event_logs where {of_them}",
        ):
            database.execute(f"delete from {condition}", run_ids)  # noqa: S608 - our own


_OLD_CHECKS = """
    delete from asset_check_executions where run_id = '' and evaluation_event_timestamp < $1
    and id not in (select max(id) from asset_check_executions group by asset_key, check_name)
"""
_OLD_CHECK_EVENTS = """
    delete from event_logs where run_id = '' and timestamp < $1
    and dagster_event_type = 'ASSET_CHECK_EVALUATION'
    and id not in (select coalesce(evaluation_event_storage_id, 0) from asset_check_executions)
"""


def _remove_checks_without_run(settings: Settings, before: datetime) -> None:
    """Remove what checks found that belongs to no run, but what each found last."""
    then = [before.strftime("%Y-%m-%d %H:%M:%S.%f")]
    for name, statements in (
        (f"{_INDEX}.db", (_OLD_CHECKS, _OLD_CHECK_EVENTS)),
        (_WITHOUT_RUN, (_OLD_CHECK_EVENTS,)),  # its table of checks is empty
    ):
        file = _events(settings) / name
        if file.exists():
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as database, database:
                for statement in statements:
                    database.execute(statement, then)


def _remove_files(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Remove the files of runs that are no more."""
    files = [file for file in _events(settings).glob("*.db*") if file.name[0] != "."]
    there = {_INDEX, *instance.get_run_ids()}  # asked behind: a run is there before its files
    removed = 0
    for file in files:
        run_id = file.name.partition(".")[0]
        if run_id not in there:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            file.unlink(missing_ok=True)  # a log that Dagster has closed since
            removed += 1
    return removed


def _events(settings: Settings) -> Path:
    return settings.dagster_home / "history" / "runs"
