"""What the demo prints at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from stack.output import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from demo.events import Message
    from demo.outcome import Arrivals

WIDE = 140


def show_tables(
    sent: Sequence[Message], before: Arrivals, now: Arrivals, totals: Mapping[str, int]
) -> None:
    """Print the rows of each final table, and how many copies were dropped on the way.

    Args:
        sent: Every message of this demo.
        before: What was in the warehouse before.
        now: What is in it of this demo.
        totals: All rows of each final table.
    """
    counts: dict[str, tuple[int, ...]] = {}
    for call, total in totals.items():
        messages = sum(message.call == call for message in sent)
        mine = now.final[call].total()
        dropped = now.raw[call].total() - (mine - before.final[call].total())
        counts[call] = (messages, mine, dropped, total)
    counts["all"] = tuple(map(sum, zip(*counts.values(), strict=True)))
    header = ("table", "messages sent", "rows of this demo", "duplicates dropped", "rows in all")
    _print_table("", header, [(name, *numbers) for name, numbers in counts.items()])


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a few rows of `track`."""
    _print_table("A few rows of track", columns, rows)


def _print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(*header, title=title or None, title_justify="left")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    say()
    console.print(table)
