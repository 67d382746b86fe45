"""Upkeep holds the writer's lock for short times, and lets whoever waits for it go in between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestration.settings import Settings
from orchestration.warehouse.writer_lock import writer_lock

PAUSE_SECONDS = 0.2
"""Between two times. A waiting writer looks at the lock every 0.05 s, and finds it free."""


@dataclass
class ShortLocks:
    """The times that a piece of upkeep holds the lock."""

    settings: Settings
    longest_seconds: float = 0.0
    """The longest that a load had to wait for one."""

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one writer for a `with` block, then pause.

        Raises:
            WriterBusyError: another writer did not finish in time.
        """
        with writer_lock(self.settings):
            began = time.monotonic()
            try:
                yield
            finally:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
        time.sleep(PAUSE_SECONDS)
