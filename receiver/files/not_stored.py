"""What one process counts of events that it did not store, and writes down now and then.

`/metrics` counts the same, and begins at nothing with each start; this stays.
"""

import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog

from landed import not_stored
from receiver.server.native_threads import run_native

THROTTLED = "throttled"
"""The reason of requests that were answered 429; a sender that is one sends them again."""

log = structlog.get_logger()


class NotStoredCounts:
    """Counts by source and reason, of the hour in which they are written."""

    def __init__(self, landing: Path, write_seconds: float) -> None:
        """Count nothing yet.

        Args:
            landing: the landing folder; the counts are written below it.
            write_seconds: how often; what a process that is killed has lost of them is no older.
        """
        self._landing = landing
        self._write_seconds = write_seconds
        self._counted: not_stored.Counts = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def start(self) -> None:
        """Write every few seconds what was counted, from now on."""
        threading.Thread(target=self._keep_writing, name="not_stored", daemon=True).start()

    def note(self, source: str, reason: str, number: int = 1) -> None:
        """Count events, or requests."""
        if not number:
            return
        with self._lock:
            of_source = self._counted.setdefault(source, {})
            of_source[reason] = of_source.get(reason, 0) + number

    def write(self) -> None:
        """Add what was counted to the hour's; what cannot be written is kept for the next time."""
        with self._lock:
            counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            run_native(partial(not_stored.add, self._landing, datetime.now(UTC), counted))
        except OSError as error:
            log.warning("not_stored_not_written", problem=error.strerror)
            for source, reasons in counted.items():
                for reason, number in reasons.items():
                    self.note(source, reason, number)

    def close(self) -> None:
        """Write what was counted, and nothing from then on by itself."""
        self._closed.set()
        self.write()

    def _keep_writing(self) -> None:
        while not self._closed.wait(self._write_seconds):
            self.write()
