"""`seamline status`: what came in, what waits and what is wrong, at a glance."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb

from landed.folders import CALLS, REJECTED
from orchestration.audit import completeness
from orchestration.audit.problems import problems
from orchestration.erasure import near_ids, notified
from orchestration.loading.waiting import waiting_files
from orchestration.models import back_off, pending_models
from orchestration.settings import Settings
from orchestration.warehouse.catalog import number, tables
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import is_current

NEAR_DAYS = 1
"""Of so many days, ids that are nearly those of somebody suppressed are counted."""


@dataclass
class Status:
    """How things are."""

    lines: list[str] = field(default_factory=list)
    """What there is."""
    problems: list[str] = field(default_factory=list)
    """What somebody has to look at, a line each."""


def status(settings: Settings) -> Status:
    """Look at landing folder and warehouse, without a lock and beside whoever writes.

    Raises:
        WarehouseMissingError: nothing was loaded yet.
    """
    found = Status()
    with connect(settings, read_only=True) as con:
        con.execute("begin")  # one moment for all of it
        _say_what_waits(settings, found)
        _say_last_load(con, found)
        _say_tables(con, settings, found)
        _say_rejected(con, found)
        found.problems += map(str, problems(con, settings))
        if is_current(con):  # else nobody has written to it since an earlier version
            _say_conflicts(con, settings, found)
            _say_notified(con, settings, found)
        _say_near(con, settings, found)
        failing = back_off.failing_models(con)
        behind = pending_models.calls_behind(con)
    found.problems += [
        f"Model {name} failed {model.times} times; it is tried again at {_clock(model.due)}"
        for name, model in sorted(failing.items())
    ]
    if behind:
        found.lines.append(f"Loaded, and not in the final tables yet: {', '.join(behind)}")
    return found


def _say_what_waits(settings: Settings, found: Status) -> None:
    waiting = Counter(path.parent.name for path in waiting_files(settings.landing))
    each = ", ".join(f"{count} {folder}" for folder, count in sorted(waiting.items()))
    found.lines.append(f"Files that wait in {settings.landing}: {each or 'none'}")


def _say_last_load(con: duckdb.DuckDBPyConnection, found: Status) -> None:
    row = con.execute(
        "select load_id, loaded_at, count(*) from raw.landed_file "
        "group by all order by load_id desc limit 1"
    ).fetchone()
    if row is None:
        found.lines.append("Nothing was loaded yet")
        return
    load_id, loaded_at, files = row
    found.lines.append(f"Last load: {load_id}, {loaded_at:%Y-%m-%d %H:%M:%S} UTC, {files} files")


def _say_tables(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    there = tables(con)
    for call in CALLS:
        if (settings.schema_name, call) not in there:
            continue
        name = f'"{settings.schema_name}"."{call}"'
        row = con.execute(f"select count(*), max(_sdc_received_at) from {name}").fetchone()
        count, newest = row or (0, None)
        when = f", newest received {newest:%Y-%m-%d %H:%M:%S} UTC" if newest else ""
        found.lines.append(f"{settings.schema_name}.{call}: {count} rows{when}")


def _say_rejected(con: duckdb.DuckDBPyConnection, found: Status) -> None:
    reasons = con.execute(
        f"select reason, count(*) from raw.{REJECTED} group by reason order by all"
    ).fetchall()
    each = ", ".join(f"{count} {reason}" for reason, count in reasons)
    found.lines.append(f"Rejected: {each or 'none'}")


def _say_notified(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    if not con.execute("from raw.delete limit 1").fetchone():
        return
    named = notified.named(con, settings.landing, settings.delete_people, datetime.now(UTC))
    refused = ", ".join(f"{count} {reason}" for reason, count in sorted(named.refused.items()))
    found.lines.append(
        f"Delete notifications: {len(named.now)} people go with the next hourly erasure; ids "
        f"refused: {refused or 'none'}"
    )
    if named.waiting:
        found.problems.append(
            f"{named.waiting} people whom delete notifications name wait, as their source has "
            f"{settings.delete_people} erased an hour at most: look who orders so many, then "
            "`seamline forget --notified --all` lets them through (docs/runbooks/erasure.md)"
        )


def _say_near(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=NEAR_DAYS)
    if events := near_ids.count_near_suppressed(con, settings.landing, since):
        found.lines.append(
            f"Received in a day with an id that is nearly one of somebody suppressed: {events} "
            "events, which stay (docs/erasure.md)"
        )


def _say_conflicts(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    conflicts = number(con, "select coalesce(sum(conflicting), 0)::bigint from raw.completeness")
    if conflicts:
        found.lines.append(
            f"Messages of two sources that do not say the same: {conflicts}, see "
            f"{settings.schema_name}.{completeness.CONFLICT}"
        )


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"
