"""How far the demo is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stack.output import say

if TYPE_CHECKING:
    from types import TracebackType

SECONDS_BETWEEN_LINES = 2.0


class Steps:
    """The progress of several steps, each towards a number; a context manager."""

    def __init__(self, steps: dict[str, int]) -> None:
        """Begin all steps at 0.

        Args:
            steps: The name of each step and the number it ends at.
        """
        self._ends = steps
        self._said = dict.fromkeys(steps, 0)
        self._next_line = dict.fromkeys(steps, 0.0)
        self._bars: Progress | None = None
        if sys.stdout.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
            self._bars = Progress(*columns, TimeElapsedColumn(), console=Console())
            self._tasks = {name: self._bars.add_task(name, total=steps[name]) for name in steps}

    def __enter__(self) -> Self:
        """Show the bars."""
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the bars as they are."""
        if self._bars:
            self._bars.stop()

    def reach(self, step: str, number: int) -> None:
        """Say that a step has come so far; lines only when there is news, and not too often."""
        if self._bars:
            self._bars.update(self._tasks[step], completed=number)
            return
        now = time.monotonic()
        done = number == self._ends[step]
        if number != self._said[step] and (done or now >= self._next_line[step]):
            self._said[step] = number
            self._next_line[step] = now + SECONDS_BETWEEN_LINES
            say(f"{step}: {number} of {self._ends[step]}")
