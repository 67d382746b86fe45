"""A house that exports its `track` table, and what is there to be exported."""

from typing import Any, NamedTuple

from orchestration.warehouse.catalog import quoted
from orchestration.warehouse.connection import connect
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock
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

    def put(self, message_id: str, day: int, **values: tuple[str, object]) -> None:
        """Put a row into the table, each value with its type; no event brought it.

        It is what a test wants that is not about how rows come: it costs no run of dbt.
        """
        at = f"timestamp '2026-11-{day:02} 10:00:00'"
        with writer_lock(self.house.settings), connect(self.house.settings) as con:
            there = {name for name, *_ in con.execute("describe segment.track").fetchall()}
            with transaction(con):
                for name, (kind, _) in values.items():
                    if name not in there:
                        con.execute(f"alter table segment.track add column {quoted(name)} {kind}")
                names = ["message_id", "_sdc_received_at", *map(quoted, values)]
                marks = ", ".join(f"${number}" for number in range(1, len(values) + 2))
                marks = marks.replace("$1", f"$1, {at}", 1)
                con.execute(
                    f"insert into segment.track ({', '.join(names)}) values ({marks})",
                    [message_id, *(value for _, value in values.values())],
                )

    def remove(self, message_id: str) -> None:
        """Remove a row, as an erasure does."""
        self.run("delete from segment.track where message_id = $1", message_id)

    def run(self, statement: str, *values: object) -> None:
        """Change the warehouse."""
        with writer_lock(self.house.settings), connect(self.house.settings) as con:
            con.execute(statement, values)

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
