"""What Dagster's own storage says, for a terminal: checks that fail, and when upkeep comes.

Read from its databases without Dagster, whose import takes seconds, and without a lock.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orchestration.dagster_database import (
    INDEX,
    RUNS,
    SCHEDULES,
    DagsterAwayError,
    DagsterUnreadableError,
    Execute,
    opened,
)
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
        What it says; None if it was never started here, or cannot be read just now. A server
        that is away is a problem.
    """
    found = DagsterSays()
    try:
        with opened(settings, RUNS, _PATIENCE_SECONDS) as runs:
            found.is_running = _is_running(runs, now)
            _say_upkeep(runs, found)
        with opened(settings, SCHEDULES, _PATIENCE_SECONDS) as schedules:
            is_off = _is_off(schedules)
        with opened(settings, INDEX, _PATIENCE_SECONDS) as index:
            found.problems += _failing(index, now, without)
    except DagsterUnreadableError:
        return None
    except DagsterAwayError as away:
        return DagsterSays(problems=[str(away)])
    if is_off:
        found.problems.append(
            f"The schedule {_SCHEDULE} is switched off, so no upkeep comes: switch it on in "
            "Dagster, or let `seamline upkeep` come by the clock (docs/upkeep.md)"
        )
    elif found.is_running:
        found.next_upkeep = _next(now)
    return found


def _is_running(runs: Execute, now: datetime) -> bool:
    ((newest,),) = runs("select max(timestamp) from daemon_heartbeats")
    return newest is not None and now - _time(newest) < timedelta(seconds=ALIVE_SECONDS)


def _say_upkeep(runs: Execute, found: DagsterSays) -> None:
    ended = runs(
        "select status, end_time from runs "
        "where pipeline_name = 'upkeep' and end_time is not null order by id desc limit 1"
    )
    if not ended:
        return
    ((status, at),) = ended
    found.last_upkeep = datetime.fromtimestamp(at, UTC)
    if status == "FAILURE":
        found.problems.append(
            f"The last upkeep failed at {found.last_upkeep:%Y-%m-%d %H:%M:%S} UTC: its run says "
            "why; the next one does what it left (docs/upkeep.md)"
        )


def _is_off(schedules: Execute) -> bool:
    rows = schedules("select status, instigator_body from instigators")
    return any(status == "STOPPED" and f'"{_SCHEDULE}"' in body for status, body in rows)


def _failing(index: Execute, now: datetime, without: set[str]) -> Iterator[str]:
    rows = index(
        """
        select asset_key, check_name, evaluation_event_timestamp from asset_check_executions
        where execution_status = 'FAILED' and id in (
            select max(id) from asset_check_executions
            where execution_status in ('SUCCEEDED', 'FAILED') group by asset_key, check_name
        )
        order by asset_key, check_name
        """
    )
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


def _time(at: str | datetime) -> datetime:
    """A time in UTC: SQLite has a text, PostgreSQL a time."""
    return (datetime.fromisoformat(at) if isinstance(at, str) else at).replace(tzinfo=UTC)
