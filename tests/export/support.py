"""A house that exports its `track` table, and what is there to be exported."""

from typing import Any, NamedTuple

from tests.support import landed
from tests.support.house import House


class Done(NamedTuple):
    """How many rows and parts were written, and how many parts removed."""

    rows: int = 0
    parts: int = 0
    gone: int = 0


NOTHING = Done()

Row = dict[str, Any]
"""A row without what is null."""


class Exports:
    """What all that is exported to have in common."""

    house: House

    def load(self, *lines: bytes) -> None:
        """Load events, and bring the table up to date."""
        self.house.land("track", *lines)
        self.house.load()
        self.house.models("track")

    def table(self) -> list[Row]:
        """Every row of the table."""
        names = [name for name, *_ in self.house.rows("describe segment.track")]
        return rows_of(names, self.house.rows("from segment.track order by message_id"))


def rows_of(names: list[str], rows: list[tuple[Any, ...]]) -> list[Row]:
    """Rows by the names of their columns."""
    every = [dict(zip(names, row, strict=True)) for row in rows]
    return [{name: value for name, value in row.items() if value is not None} for row in every]


def event(message_id: str, day: int, **properties: object) -> bytes:
    """A `track` call that was received on a day of November, at ten."""
    return landed.line(
        {"event": "E", "properties": properties},
        message_id=message_id,
        received_at=f"2026-11-{day:02}T10:00:00.000000Z",
    )
