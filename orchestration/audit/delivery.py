"""`seamline delivery`: what became of what was received in a day, by source and event.

The view `delivery` has it of every day; here is one day of it, with what was not stored as the
receiver counts it now.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time

import duckdb

from landed import not_stored
from orchestration.settings import Settings
from orchestration.warehouse.catalog import full_name, views
from orchestration.warehouse.connection import connect

VIEW = "delivery"

MOST = 50
"""So many names of events are shown of a source; the others together."""


@dataclass
class Delivery:
    """What became of some events: all of `received` is in one of the next seven."""

    source: str
    call: str | None = None
    """Null for what was not stored."""
    event: str | None = None
    """A track's name that ten events or more have had; null for all others together."""
    received: int = 0
    shut_out: int = 0
    suppressed: int = 0
    rejected: int = 0
    waiting: int = 0
    duplicate: int = 0
    rows: int = 0
    raw_only: int = 0
    """Copies of calls that have no table."""
    throttled_requests: int = 0
    """In no sum: their events were not received."""
    lag_p50_seconds: float | None = None
    lag_p95_seconds: float | None = None

    def add(self, other: "Delivery") -> None:
        """Count other events with these; how soon both were shown is not known then."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.lag_p50_seconds = self.lag_p95_seconds = None


COUNTS = tuple(one.name for one in fields(Delivery) if one.type is int)
"""What is counted, in the order in which it happens to an event."""


@dataclass
class Day:
    """One day of receipt, in UTC."""

    day: date
    deliveries: list[Delivery] = field(default_factory=list)

    def lines(self) -> list[str]:
        """All of it, for a terminal."""
        if not self.deliveries:
            return [f"Nothing was received on {self.day}, as far as it has been counted."]
        rows = [_HEAD, *map(_cells, self.deliveries)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        aligned = [
            "  ".join(
                cell.ljust(width) if place < _TEXTS else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return [f"Received on {self.day} (UTC), and what became of it:", *aligned]


def delivery(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    day: date,
    source: str | None = None,
    most: int = MOST,
) -> Day:
    """Look at one day.

    Args:
        con: The warehouse, open for reading.
        settings: Where the landing folder is, and what the schema is called.
        day: The day of receipt, in UTC.
        source: One source, if not all.
        most: How many names of events are shown of a source.
    """
    found = Day(day)
    if (settings.schema_name, VIEW) in views(con):  # else nobody has run the models of this version
        names = [one.name for one in fields(Delivery)]
        rows = con.execute(
            f"select {', '.join(names)} from {full_name(settings.schema_name, VIEW)} "
            "where day = $1 and call is not null",
            [datetime.combine(day, time())],
        ).fetchall()
        found.deliveries += _bounded((Delivery(*row) for row in rows), most)
    found.deliveries += _not_stored(settings, day)
    found.deliveries = sorted(
        (one for one in found.deliveries if source in {None, one.source}),
        key=lambda one: (one.source, one.call is None, one.call or "", -one.received),
    )
    return found


def of_day(settings: Settings, day: date | None, source: str | None) -> Day:
    """Look at a day, today if none is said, beside whoever writes; see `delivery`.

    Raises:
        WarehouseMissingError: nothing was loaded yet.
    """
    with connect(settings, read_only=True) as con:
        return delivery(con, settings, day or datetime.now(UTC).date(), source)


def _bounded(deliveries: Iterable[Delivery], most: int) -> Iterable[Delivery]:
    """Put together what goes beyond so many names of a source, and what has none."""
    named: Counter[str] = Counter()
    found: dict[tuple[str, str | None, str | None], Delivery] = {}
    for one in sorted(deliveries, key=lambda one: -one.received):
        named[one.source] += one.event is not None
        event = one.event if named[one.source] <= most else None
        key = (one.source, one.call, event)
        if key in found:
            found[key].add(one)
        else:
            found[key] = replace(one, event=event)
    return found.values()


def _not_stored(settings: Settings, day: date) -> Iterator[Delivery]:
    begun = datetime.combine(day, time())
    for source, counts in not_stored.read(settings.landing, begun, 24).items():
        shut_out, suppressed = counts.get("shut_out", 0), counts.get("suppressed", 0)
        yield Delivery(
            source,
            received=shut_out + suppressed,
            shut_out=shut_out,
            suppressed=suppressed,
            throttled_requests=counts.get("throttled", 0),
        )


_TEXTS = 3
_HEAD = (
    *("source", "call", "event", "received", "shut out", "suppressed", "rejected", "waiting"),
    *("duplicate", "rows", "raw only", "429s", "p50 s", "p95 s"),
)


def _cells(one: Delivery) -> tuple[str, ...]:
    if one.call is None:
        texts = (one.source, "(not stored)", "")
    else:
        others = "(others)" if one.call == "track" else ""
        texts = (one.source, one.call, others if one.event is None else printable(one.event))
    counts = (str(getattr(one, name) or "") for name in COUNTS)
    return (*texts, *counts, _seconds(one.lag_p50_seconds), _seconds(one.lag_p95_seconds))


def printable(text: str, longest: int = 40) -> str:
    """A name as a terminal shows it in a line, whatever is in it."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _seconds(number: float | None) -> str:
    return "" if number is None else f"{number:.1f}"
