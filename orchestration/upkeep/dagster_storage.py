"""Dagster's own storage: old runs with their events and logs.

Dagster itself has a time to keep for ticks alone (`retention` in dagster.yaml). Deleting a run in
Dagster leaves its logs and the SQLite file of its events behind, and what it has of checks: here
the files go of every run that is no more, whoever deleted it, and of a purge that was cut short.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import dagster as dg

from orchestration.dagster_database import FILES, INDEX, WITHOUT_RUN, opened
from orchestration.settings import Settings
from orchestration.warehouse.sqlite_space import vacuum

AT_ONCE = 100
"""Runs that are asked for in one query."""

_WENT_WELL = [dg.DagsterRunStatus.SUCCESS]
_DID_NOT = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


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
    for file in map(settings.dagster_home.joinpath, FILES):
        if file.exists():
            vacuum(file)
    return done


def _remove_shared_events(settings: Settings, run_ids: list[str]) -> None:
    """Remove what the index has of runs; Dagster's own way opens the file of each run's events."""
    if not _has(settings, INDEX):
        return
    places = ", ".join(f"${number}" for number, _ in enumerate(run_ids, 1))
    of_them = f"run_id in ({places})"
    with opened(settings, INDEX) as execute:
        for condition in (
            f"asset_event_tags where event_id in (select id from event_logs where {of_them})",  # noqa: S608 - our own
            f"asset_check_executions where {of_them}",
            f"event_logs where {of_them}",
        ):
            execute(f"delete from {condition}", run_ids)  # noqa: S608 - our own


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
    for file, statements in (
        (INDEX, (_OLD_CHECKS, _OLD_CHECK_EVENTS)),
        (WITHOUT_RUN, (_OLD_CHECK_EVENTS,)),  # its table of checks is empty
    ):
        if settings.dagster_storage is not None and file == WITHOUT_RUN:
            continue  # there is one database, and its index has been seen to
        if _has(settings, file):
            with opened(settings, file) as execute:
                for statement in statements:
                    execute(statement, then)


def _has(settings: Settings, file: str) -> bool:
    """Whether there is such a database; Dagster makes files when it first needs them."""
    return settings.dagster_storage is not None or (settings.dagster_home / file).exists()


def _remove_files(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Remove the files of runs that are no more: their events, and what they printed."""
    events = [*(settings.dagster_home / INDEX).parent.glob("*.db*")]
    files = [file for file in events if file.name[0] != "."]
    printed = [path.name for path in _printed(settings)]
    there = {Path(INDEX).stem, *instance.get_run_ids()}  # asked behind: a run is there before them
    gone = [file for file in files if _run_of(file) not in there]
    for run_id in {*map(_run_of, gone), *printed} - there:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    for file in gone:
        file.unlink(missing_ok=True)  # a log that Dagster has closed since
    return len(gone) or len(set(printed) - there)


def _run_of(file: Path) -> str:
    return file.name.partition(".")[0]


def _printed(settings: Settings) -> list[Path]:
    """The folders of what runs have printed; what assets have stored lies beside them."""
    return [path for path in (settings.dagster_home / "storage").glob("*-*") if _is_run(path.name)]


def _is_run(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
