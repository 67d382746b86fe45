"""Dagster's own storage: old runs with their events and logs, and old ticks.

Deleting a run in Dagster leaves its logs and the SQLite file of its events behind; here they go
first and the run last, so that what is killed halfway is found and finished the next time.
"""

import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.settings import Settings
from orchestration.upkeep.sqlite_space import BUSY_SECONDS, vacuum

AT_ONCE = 100
"""Runs that are asked for in one query."""

_WENT_WELL = [dg.DagsterRunStatus.SUCCESS]
_DID_NOT = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

_INDEX = "index"
_FILE_SUFFIXES = (".db", ".db-wal", ".db-shm")


@dataclass
class Purged:
    """What was removed."""

    runs: int = 0
    leftover_files: int = 0


def purge(instance: dg.DagsterInstance, settings: Settings) -> Purged:
    """Remove runs that ended longer ago than the settings say, and ticks.

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
            _remove_runs(instance, settings, [record.dagster_run.run_id for record in records])
            done.runs += len(records)
    done.leftover_files = _remove_leftovers(instance, settings)
    _remove_ticks(instance, now - timedelta(days=settings.failed_run_days))
    history = settings.dagster_home / "history"
    schedules = settings.dagster_home / "schedules"
    for file in (history / "runs.db", _events(settings) / "index.db", schedules / "schedules.db"):
        if file.exists():
            vacuum(file)
    return done


def _remove_runs(instance: dg.DagsterInstance, settings: Settings, run_ids: list[str]) -> None:
    for run_id in run_ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        for suffix in _FILE_SUFFIXES:
            (_events(settings) / f"{run_id}{suffix}").unlink(missing_ok=True)
    _remove_shared_events(settings, run_ids)
    for run_id in run_ids:
        instance.run_storage.delete_run(run_id)


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


def _remove_leftovers(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Remove files of events of runs that Dagster itself deleted."""
    removed = 0
    long_ago = time.time() - timedelta(days=settings.run_days).total_seconds()
    for file in _events(settings).glob("*.db*"):
        run_id = file.name.partition(".")[0]
        is_of_a_run = run_id not in ("", _INDEX) and file.name.endswith(_FILE_SUFFIXES)
        with suppress(FileNotFoundError):  # a log that Dagster has closed since
            if is_of_a_run and file.stat().st_mtime < long_ago and not instance.has_run(run_id):
                file.unlink()
                removed += 1
    return removed


def _remove_ticks(instance: dg.DagsterInstance, before: datetime) -> None:
    for state in instance.all_instigator_state():
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, before.timestamp())


def _events(settings: Settings) -> Path:
    return settings.dagster_home / "history" / "runs"
