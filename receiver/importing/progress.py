"""How far an import is: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

SECONDS_BETWEEN_LINES = 10.0
_MB = 1_000_000


class ImportProgress:
    """The progress through the bytes of all files; a context manager."""

    def __init__(self, total: int) -> None:
        """Begin at 0.

        Args:
            total: bytes of all files.
        """
        self._total = total
        self._behind = 0  # bytes of the files that are done
        self._events = 0
        self._events_of_file = 0
        self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            self._bar = Progress(
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TextColumn("{task.fields[events]:,} events"),
                TimeRemainingColumn(),
                console=Console(),
                transient=True,
            )
            self._task = self._bar.add_task("", total=total, events=0)

    def __enter__(self) -> Self:
        """Show the bar."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line, above the bar if there is one."""
        if self._bar:
            self._bar.console.print(escape(line), highlight=False, soft_wrap=True)
        else:
            print(line, flush=True)  # noqa: T201 - a command's own output

    def note(self, position: int, events: int) -> None:
        """Note how far the file at hand is.

        Args:
            position: bytes of it that are done.
            events: events in it that are done.
        """
        self._events_of_file = events
        self._show(self._behind + position)

    def file_done(self, size: int) -> None:
        """Note that all there is to do with a file is done."""
        self._behind += size
        self._events += self._events_of_file
        self._events_of_file = 0
        self._show(self._behind)

    def _show(self, done: int) -> None:
        events = self._events + self._events_of_file
        if self._bar:
            self._bar.update(self._task, completed=done, events=events)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + SECONDS_BETWEEN_LINES
            self.say(f"{done / _MB:,.0f} of {self._total / _MB:,.0f} MB, {events:,} events")
