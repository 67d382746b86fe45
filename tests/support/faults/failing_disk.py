"""A disk in this process whose N-th operation fails, and a committer that lives and dies on it.

Where an operation fails in a really started receiver, shim.c does it. This is the cheap form, for
trying every place there is.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import NotLandedError, StartError
from receiver.files.committer import Committer
from receiver.files.disk import prepare_landing, probe
from receiver.files.envelope import good_line
from receiver.files.lines import Lines
from receiver.files.open_files import OpenFiles
from receiver.files.recovery import recover
from tests.support.receiver.senders import new_id

OPERATIONS = ("open", "write", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir")


class FailingDisk:
    """Counts the operations on the disk, and lets one fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the operating system's calls; nothing fails yet."""
        self._count = 0
        self._fails: tuple[int, int] | None = None
        self.has_failed = False
        for name in OPERATIONS:
            monkeypatch.setattr(os, name, self._instead_of(getattr(os, name)))

    def _instead_of(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if self._fails:
                self._count += 1
                error, number = self._fails
                if self._count == number:
                    self.has_failed = True
                    raise OSError(error, os.strerror(error))
            return real(*arguments, **options)

        return call

    @contextmanager
    def failing(self, error: int, number: int) -> Iterator[None]:
        """Let the operation of that number, counted from now, fail."""
        self._count, self.has_failed = 0, False
        self._fails = (error, number)
        try:
            yield
        finally:
            self._fails = None


class Process:
    """What is left of a receiver's process without HTTP: its start, its committer, its end."""

    def __init__(self, landing: Path) -> None:
        """Start as `receiver.server.application` does.

        Raises:
            StartError, OSError: it cannot.
        """
        prepare_landing(landing)
        probe(landing)
        recover(landing)
        self.files = OpenFiles(landing, seal_seconds=60, seal_bytes=1 << 30, reserve_bytes=0)
        self.has_ended = threading.Event()
        self.committer = Committer(
            self.files,
            queue_bytes=1 << 20,
            queue_events=100,
            commit_seconds=60,
            on_fatal=self.has_ended.set,
        )
        self.committer.start()

    def promises(self, call: str) -> str | None:
        """Land an event; return its id if it was promised."""
        message_id = new_id()
        lines = Lines()
        stamp = "2026-11-22T00:00:00.000000Z"
        lines.add(call, good_line(message_id, stamp, None, "web", b'{"n":1}'))
        try:
            self.committer.land(lines)
        except NotLandedError:
            return None
        return message_id

    def end(self) -> None:
        """End in good order; what could not be sealed stays as it is."""
        self.committer.close()
        for file in self.files.all():
            file.close()

    def die(self, last_words: bytes) -> None:
        """Leave the files as a process that was killed in the middle of a line."""
        left = self.files.all()
        self.files._files.clear()  # noqa: SLF001 - so that nobody seals them
        self.committer.close()
        for file in left:
            file.append(last_words)
            file.close()


def refuses_to_start(landing: Path) -> bool:
    """Start on that folder, and end; say whether that was refused."""
    try:
        Process(landing).end()
    except (StartError, OSError):
        return True
    return False


def fails_with(number: int) -> Callable[..., Any]:
    """Return a stand-in for a call of the operating system that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
