"""What each source has sent lately, and whether that is what it usually sends at such an hour.

Counted in `raw.completeness`, so it is as new as the last run of the models; what was not stored
the receiver has counted beside the landed files.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import duckdb

from landed import not_stored

HOURS = 24
"""So many hours are lately, the one that has begun included."""

WEEKS = 4
"""So far back the same hour is looked for."""

_FEWEST = 3
"""Without so many hours to compare with, a source is too new to have habits."""


@dataclass(frozen=True)
class Source:
    """One source, in the last 24 hours."""

    name: str
    received: int
    rejected: int
    loaded: int
    duplicate: int
    newest: datetime
    """The last hour in which something was received, of the last weeks, in UTC."""
    not_stored: dict[str, int]
    """How many events were `shut_out` or `suppressed`, and requests `throttled`."""


class Hour(NamedTuple):
    """What a source sent in one hour, and what it usually does then."""

    source: str
    received: int
    usual: tuple[int, ...]
    """In the same hour of the weeks before, or of the days if it is newer; none if too new."""

    @property
    def median(self) -> float:
        """What is usual; 0 if nothing is known."""
        return median(self.usual) if self.usual else 0


def sources(con: duckdb.DuckDBPyConnection, landing: Path, now: datetime) -> list[Source]:
    """Return all sources of the last weeks, by name, those too of which nothing was stored.

    Args:
        con: The warehouse.
        landing: The landing folder.
        now: The time, in UTC.
    """
    begun = _hour(now) - timedelta(hours=HOURS - 1)
    others = not_stored.read(landing, begun, HOURS)
    rows = con.execute(
        """
        select
            source,
            coalesce(sum(received) filter (hour >= $begun), 0)::bigint,
            coalesce(sum(rejected) filter (hour >= $begun), 0)::bigint,
            coalesce(sum(loaded) filter (hour >= $begun), 0)::bigint,
            coalesce(sum(duplicate) filter (hour >= $begun), 0)::bigint,
            max(hour)
        from raw.completeness
        where hour between $first and $now
        group by source
        """,
        {"begun": begun, "first": begun - timedelta(weeks=WEEKS), "now": _naive(now)},
    ).fetchall()
    found = {row[0]: Source(*(*row, others.get(row[0], {}))) for row in rows}
    for name in others.keys() - found.keys():
        found[name] = Source(name, 0, 0, 0, 0, begun, others[name])
    return [found[name] for name in sorted(found)]


def last_hour(con: duckdb.DuckDBPyConnection, now: datetime) -> list[Hour]:
    """Return what each source sent in the last whole hour, beside what it usually does then.

    Who has been there for three weeks is compared with the same hour of the same day of the week,
    who has not with that of the days before.

    Args:
        con: The warehouse.
        now: The time, in UTC.
    """
    last = _hour(now) - timedelta(hours=1)
    rows = con.execute(
        """
        select source, hour, sum(received)::bigint
        from raw.completeness
        where hour between $first and $last and hour(hour) = $of_day
        group by all
        """,
        {"first": last - timedelta(weeks=WEEKS), "last": last, "of_day": last.hour},
    ).fetchall()
    began = dict(
        con.execute(
            "select source, min(hour) from raw.completeness where received > 0 group by source"
        ).fetchall()
    )
    received: dict[str, dict[datetime, int]] = {name: {} for name in began}
    for source, hour, number in rows:
        received.setdefault(source, {})[hour] = number
    return [
        Hour(source, hours.get(last, 0), _usual(hours, last, began[source]))
        for source, hours in sorted(received.items())
        if source in began
    ]


def _usual(hours: dict[datetime, int], last: datetime, began: datetime) -> tuple[int, ...]:
    of_weeks = [last - timedelta(weeks=back) for back in range(1, WEEKS + 1)]
    of_days = [last - timedelta(days=back) for back in range(1, 8)]
    for compared in (of_weeks, of_days):
        known = [hour for hour in compared if hour >= began]
        if len(known) >= _FEWEST:
            return tuple(hours.get(hour, 0) for hour in known)
    return ()


def _hour(now: datetime) -> datetime:
    return _naive(now).replace(minute=0, second=0, microsecond=0)


def _naive(now: datetime) -> datetime:
    return now.replace(tzinfo=None)  # as the warehouse's timestamps are
