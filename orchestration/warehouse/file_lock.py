"""Locks that are files beside the catalog: the kernel frees one when its holder dies."""

import fcntl
import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from orchestration import modes
from orchestration.durable_files import make_folder
from orchestration.settings import Settings
from orchestration.warehouse.locks import TURN, WRITER, command


def file_lock(settings: Settings, name: str = WRITER, *, is_singleton: bool = False) -> FileLock:
    """A lock file beside the catalog."""
    with modes.begun(settings):
        make_folder(settings.catalog.parent, mode=0o777)
    return FileLock(settings.catalog.parent / name, is_singleton=is_singleton)


class LockFile:
    """One of them; the writer's says who holds it, and is waited for by turns."""

    def __init__(self, lock: FileLock) -> None:
        """Of a lock that may be held already."""
        self._lock = lock
        self._file = Path(lock.lock_file)
        self._is_writers = self._file.name == WRITER
        self._descriptor = 0

    @property
    def is_ours(self) -> bool:
        """Whether this lock is held, by who has it here."""
        return bool(self._lock.is_locked)

    def acquire(self, seconds: float) -> None:
        """Take it; the writer's as one's turn comes."""
        if self.is_ours or not self._is_writers or not seconds:
            self._lock.acquire(timeout=seconds)
            return
        until = time.monotonic() + seconds
        with FileLock(self._file.with_name(TURN)).acquire(timeout=seconds):
            self._lock.acquire(timeout=max(0.0, until - time.monotonic()))
        # of this thread alone; who pauses may do so in another one
        self._descriptor = self._lock._context.lock_file_fd or 0  # noqa: SLF001
        self._sign()

    def release(self) -> None:
        """Give it back, as often as it was taken."""
        self._lock.release()

    def give_way(self) -> None:
        """Let others have it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def take_again(self) -> None:
        """Have it again, when it is one's turn."""
        with FileLock(self._file.with_name(TURN)):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self._sign()

    def pin(self) -> None:
        """Nothing: who holds it cannot lose it."""

    def check(self) -> None:
        """It is held for as long as its holder lives."""

    def holder(self) -> str:
        """Who holds it, as far as the file tells."""
        try:
            holder = json.loads(self._file.read_text())
            named = f"{holder['command']}, process {holder['pid']}, since {holder['since']}"
        except (OSError, ValueError, KeyError, TypeError):
            return f"it holds {self._file}"
        return f"{named} ({self._file})"

    def _sign(self) -> None:
        since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        signature = {"pid": os.getpid(), "command": command(), "since": since}
        with suppress(OSError):  # a full disk: whoever waits is told less, and the writer goes on
            self._file.write_text(json.dumps(signature))
