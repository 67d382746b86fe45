"""What Dagster's own storage says, for a terminal: checks that fail, and when upkeep comes.

Read from its SQLite files without Dagster, whose import takes seconds, and without a lock.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.settings import Settings
from orchestration.upkeep.keep_small import MINUTE

ALIVE_SECONDS = 120.0
"""A daemon that has given no sign for so long does not run."""

STANDS = timedelta(days=2)
"""So long a failed check is told of: each is made every night at least, one that is gone never."""

_PATIENCE_SECONDS = 1.0
_SCHEDULE = "every_hour"


@dataclass
class DagsterSays:
    """What it says; times are in UTC."""

    is_running: bool = False
    """Whether its daemon runs, which asks for loads and for upkeep."""
    next_upkeep: datetime | None = None
    """None if none comes by itself."""
    last_upkeep: datetime | None = None
    """When the last one ended that is remembered."""
    problems: list[str] = field(default_factory=list)
    """What somebody has to look at, a line each."""


def look(settings: Settings, now: datetime, without: set[str]) -> DagsterSays | None:
    """Look at what Dagster says.

    Args:
        settings: Where its folder is.
        now: The time, in UTC.
        without: Names of checks that somebody makes anyway.

    Returns:
        What it says; None if it was never started here, or cannot be read just now.
    """
    history = settings.dagster_home / "history"
    found = DagsterSays()
    try:
        with _reading(history / "runs.db") as runs:
            found.is_running = _is_running(runs, now)
            _say_upkeep(runs, found)
        with _reading(settings.dagster_home / "schedules" / "schedules.db") as schedules:
            is_off = _is_off(schedules)
        with _reading(history / "runs" / "index.db") as index:
            found.problems += _failing(index, now, without)
    except (sqlite3.Error, FileNotFoundError):
        return None
    if is_off:
        found.problems.append(
            f"The schedule {_SCHEDULE} is switched off, so no upkeep comes: switch it on in "
            "Dagster, or let `seamline upkeep` come by the clock (docs/upkeep.md)"
        )
    elif found.is_running:
        found.next_upkeep = _next(now)
    return found


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.exists():
        raise FileNotFoundError(path)
    with closing(
        sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_PATIENCE_SECONDS)
    ) as database:
        yield database


def _is_running(runs: sqlite3.Connection, now: datetime) -> bool:
    ((newest,),) = runs.execute("select max(timestamp) from daemon_heartbeats").fetchall()
    return newest is not None and now - _time(newest) < timedelta(seconds=ALIVE_SECONDS)


def _say_upkeep(runs: sqlite3.Connection, found: DagsterSays) -> None:
    ended = runs.execute(
        "select status, end_time from runs "
        "where pipeline_name = 'upkeep' and end_time is not null order by id desc limit 1"
    ).fetchone()
    if ended is None:
        return
    status, at = ended
    found.last_upkeep = datetime.fromtimestamp(at, UTC)
    if status == "FAILURE":
        found.problems.append(
            f"The last upkeep failed at {found.last_upkeep:%Y-%m-%d %H:%M:%S} UTC: its run says "
            "why; the next one does what it left (docs/upkeep.md)"
        )


def _is_off(schedules: sqlite3.Connection) -> bool:
    rows = schedules.execute("select status, instigator_body from instigators").fetchall()
    return any(status == "STOPPED" and f'"{_SCHEDULE}"' in body for status, body in rows)


def _failing(index: sqlite3.Connection, now: datetime, without: set[str]) -> Iterator[str]:
    rows = index.execute(
        """
        select asset_key, check_name, evaluation_event_timestamp from asset_check_executions
        where execution_status = 'FAILED' and id in (
            select max(id) from asset_check_executions
            where execution_status in ('SUCCEEDED', 'FAILED') group by asset_key, check_name
        )
        order by asset_key, check_name
        """
    ).fetchall()
    for asset, check, at in rows:
        if check not in without and now - _time(at) < STANDS:
            table = "/".join(json.loads(asset))
            yield (
                f"The check {check} of {table} did not pass when it was made last, at "
                f"{_time(at):%Y-%m-%d %H:%M:%S} UTC: Dagster shows what it found, and *Execute* "
                "makes it again"
            )


def _next(now: datetime) -> datetime:
    this_hour = now.replace(minute=MINUTE, second=0, microsecond=0)
    return this_hour if this_hour > now else this_hour + timedelta(hours=1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
