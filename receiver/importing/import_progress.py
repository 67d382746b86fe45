"""How far an import is, through the bytes of all its files."""

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from landed.progress import Bars

SECONDS_BETWEEN_LINES = 10.0
_MB = 1_000_000


class ImportProgress(Bars):
    """The progress through the bytes of all files; a context manager."""

    def __init__(self, total: int) -> None:
        """Begin at 0.

        Args:
            total: bytes of all files.
        """
        super().__init__(
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[events]:,} events"),
            TimeRemainingColumn(),
            line=_line,
            seconds=SECONDS_BETWEEN_LINES,
            transient=True,
        )
        self._task = self.add_task("", total=total, events=0)
        self._bytes_done = 0  # of the files that are done, as are these events
        self._events_done = 0
        self._events_of_file = 0

    def note(self, position: int, events: int) -> None:
        """Note how far the file at hand is.

        Args:
            position: bytes of it that are done.
            events: events in it that are done.
        """
        self._events_of_file = events
        self._reach(position)

    def file_done(self, size: int) -> None:
        """Note that all there is to do with a file is done."""
        self._bytes_done += size
        self._events_done += self._events_of_file
        self._events_of_file = 0
        self._reach(0)

    def _reach(self, position: int) -> None:
        events = self._events_done + self._events_of_file
        self.reach(self._task, self._bytes_done + position, events=events)


def _line(task: Task) -> str:
    done, total = task.completed / _MB, (task.total or 0) / _MB
    return f"{done:,.0f} of {total:,.0f} MB, {task.fields['events']:,} events"
