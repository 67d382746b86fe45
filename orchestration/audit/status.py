"""`seamline status`: what came in, what waits and what is wrong, at a glance."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import duckdb

from landed.folders import CALLS, REJECTED
from orchestration.audit import completeness, dagster_says
from orchestration.audit.checks import CHECKS, look_at
from orchestration.audit.problems import problems
from orchestration.audit.sources import HOURS, Source
from orchestration.erasure import near_ids, notified
from orchestration.loading.waiting import waiting_files
from orchestration.models import pending_models
from orchestration.remote.known import looked_at
from orchestration.settings import Settings
from orchestration.warehouse.catalog import number, tables
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import is_current

NEAR_DAYS = 1
"""Of so many days, ids that are nearly those of somebody suppressed are counted."""


@dataclass(frozen=True, order=True)
class Load:
    """The last load, as the ledger has it."""

    load_id: int
    loaded_at: datetime
    files: int


@dataclass(frozen=True)
class Table:
    """A final table."""

    name: str
    rows: int
    newest_received: datetime | None
    """When its newest row was received, in UTC."""
    last_load: Load | None
    """The last load with files of its call."""


@dataclass
class Status:
    """How things are; all times are in UTC."""

    landing: str
    waiting: dict[str, int] = field(default_factory=dict)
    """Files that wait → how many, by call."""
    waiting_remotely: int | None = None
    """Files that wait in the object store and are not here yet; None if there is no store, or
    nobody has asked it."""
    last_load: Load | None = None
    sources: list[Source] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    not_modelled: list[str] = field(default_factory=list)
    """Calls with loaded rows that the final tables lack."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason → lines, ever."""
    is_dagster_running: bool = False
    next_upkeep: datetime | None = None
    """When upkeep comes by itself; None if it does not."""
    last_upkeep: datetime | None = None
    remote: list[str] = field(default_factory=list)
    """What is to be said of the object store, a line at most."""
    figures: dict[str, dict[str, int | float]] = field(default_factory=dict)
    """Check → what it looked at."""
    notes: list[str] = field(default_factory=list)
    """What else is worth to know, a line each."""
    problems: list[str] = field(default_factory=list)
    """What somebody has to look at, a line each."""

    def lines(self) -> list[str]:
        """All of it but the figures, for a terminal."""
        return [
            f"Files that wait in {self.landing}: {_counts(self.waiting)}",
            *self.remote,
            _line_of_load(self.last_load),
            *(_line_of_source(one) for one in self.sources),
            *(_line_of_table(one) for one in self.tables),
            *(
                [f"Loaded, and not in the final tables yet: {', '.join(self.not_modelled)}"]
                if self.not_modelled
                else []
            ),
            f"Rejected: {_counts(self.rejected)}",
            _line_of_upkeep(self),
            *self.notes,
            *self.problems,
            f"Problems: {len(self.problems) or 'none'}",
        ]


def status(settings: Settings, now: datetime | None = None) -> Status:
    """Look at landing folder and warehouse, without a lock and beside whoever writes.

    Args:
        settings: Where they are.
        now: The time, if it is another than the clock's.

    Raises:
        WarehouseMissingError: nothing was loaded yet.
    """
    found = Status(str(settings.landing))
    waiting = Counter(path.parent.name for path in waiting_files(settings.landing))
    found.waiting = dict(sorted(waiting.items()))
    _say_remote(settings, found)
    with connect(settings, read_only=True) as con:
        con.execute("begin")  # one moment for all of it
        loads = _last_loads(con)
        found.last_load = max(loads.values(), default=None)
        found.tables = list(_tables(con, settings, loads))
        found.rejected = _rejected(con)
        found.not_modelled = pending_models.calls_behind(con)
        found.problems += map(str, problems(con, settings))
        look = look_at(con, settings, now or datetime.now(UTC))
        found.sources = look.sources
        if is_current(con):  # else nobody has written to it since an earlier version
            for check in CHECKS:
                result = check.look(look)
                found.figures[check.name] = result.figures
                found.problems += result.problems
            _say_conflicts(con, settings, found)
            _say_notified(con, settings, found)
        _say_near(con, settings, found)
    _say_dagster(settings, found, now or datetime.now(UTC))
    return found


def _last_loads(con: duckdb.DuckDBPyConnection) -> dict[str, Load]:
    """Folder → its last load."""
    rows = con.execute(
        """
        select call, load_id, max(loaded_at), count(*) from raw.landed_file
        semi join (select call, max(load_id) as load_id from raw.landed_file group by call)
            using (call, load_id)
        group by all
        """
    ).fetchall()
    return {call: Load(*load) for call, *load in rows}


def _tables(
    con: duckdb.DuckDBPyConnection, settings: Settings, loads: dict[str, Load]
) -> Iterator[Table]:
    there = tables(con)
    for call in CALLS:
        if (settings.schema_name, call) not in there:
            continue
        name = f"{settings.schema_name}.{call}"
        row = con.execute(
            f'select count(*), max(_sdc_received_at) from "{settings.schema_name}"."{call}"'
        ).fetchone()
        count, newest = row or (0, None)
        yield Table(name, count, newest, loads.get(call))


def _rejected(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    return dict(
        con.execute(
            f"select reason, count(*) from raw.{REJECTED} group by reason order by all"
        ).fetchall()
    )


def _line_of_load(load: Load | None) -> str:
    if load is None:
        return "Nothing was loaded yet"
    return f"Last load: {load.load_id}, {load.loaded_at:%Y-%m-%d %H:%M:%S} UTC, {load.files} files"


def _line_of_source(source: Source) -> str:
    if not source.received and not source.not_stored:
        return f"Source {source.name}: nothing since {source.newest:%Y-%m-%d %H}h UTC"
    a_minute = source.received / HOURS / 60
    counts = {"rejected": source.rejected, "copies": source.duplicate} | source.not_stored
    others = "".join(
        f", {number} {what.replace('_', ' ')}" for what, number in counts.items() if number
    )
    return (
        f"Source {source.name}: {source.received} received in {HOURS} hours, {a_minute:.1f} a "
        f"minute{others}"
    )


def _line_of_table(table: Table) -> str:
    newest = table.newest_received
    when = f", newest received {newest:%Y-%m-%d %H:%M:%S} UTC" if newest else ""
    load = table.last_load
    loaded = f", last in load {load.load_id} at {load.loaded_at:%H:%M:%S}" if load else ""
    return f"{table.name}: {table.rows} rows{when}{loaded}"


def _line_of_upkeep(found: Status) -> str:
    last = (
        f", the last one ended {found.last_upkeep:%Y-%m-%d %H:%M:%S}" if found.last_upkeep else ""
    )
    if found.next_upkeep:
        return f"Next upkeep: {found.next_upkeep:%Y-%m-%d %H:%M} UTC{last}"
    why = "its schedule is off" if found.is_dagster_running else "Dagster's daemon does not run"
    return f"Next upkeep: none by itself, as {why}{last}"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.items()) or "none"


def _say_dagster(settings: Settings, found: Status, now: datetime) -> None:
    made_here = {check.name for check in CHECKS} | _MADE_HERE
    said = dagster_says.look(settings, now, made_here)
    if said is not None:
        found.is_dagster_running = said.is_running
        found.next_upkeep, found.last_upkeep = said.next_upkeep, said.last_upkeep
        found.problems += said.problems


def _say_remote(settings: Settings, found: Status) -> None:
    if settings.landing_remote is None:
        return
    looked = looked_at(settings.landing)
    if looked is None:
        found.remote.append(f"Nobody has looked yet what waits in {settings.landing_remote}")
        return
    found.waiting_remotely = looked.waiting
    found.remote.append(f"Files that wait in {settings.landing_remote}: {looked.waiting or 'none'}")


_MADE_HERE = {"every_line_is_accounted_for", "no_order_waits", "no_order_is_refused"}
"""Checks in Dagster of what is looked at here as well."""


def _say_notified(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    if not con.execute("from raw.delete limit 1").fetchone():
        return
    named = notified.named(con, settings.landing, settings.delete_people, datetime.now(UTC))
    found.notes.append(
        f"Delete notifications: {len(named.now)} people go with the next hourly erasure; ids "
        f"refused: {_counts(dict(sorted(named.refused.items())))}"
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
        found.notes.append(
            f"Received in a day with an id that is nearly one of somebody suppressed: {events} "
            "events, which stay (docs/erasure.md)"
        )


def _say_conflicts(con: duckdb.DuckDBPyConnection, settings: Settings, found: Status) -> None:
    conflicts = number(con, "select coalesce(sum(conflicting), 0)::bigint from raw.completeness")
    if conflicts:
        found.notes.append(
            f"Messages of two sources that do not say the same: {conflicts}, see "
            f"{settings.schema_name}.{completeness.CONFLICT}"
        )
