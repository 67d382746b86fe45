"""One writer at a time: the load, dbt and everything else that writes to the warehouse."""

import fcntl
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from landed.errors import ReportedError
from orchestration import modes
from orchestration.durable_files import make_folder
from orchestration.settings import Settings

_TELLING = {"dagster", "dbt", "orchestration", "stack"}
"""Programs whose first argument is the name of a command, and nothing that a person typed in."""


WRITER = "writer.lock"

TURN = "writer-turn.lock"
"""Whose turn it is to be the next writer; whoever waits has it, so that one that writes again and
again cannot come first each time."""

MARTS = "marts.lock"
"""Who runs a user's models, which do not write all the time."""


class WriterBusyError(ReportedError):
    """Another process has been writing for longer than we wait."""


def file_lock(settings: Settings, name: str = WRITER, *, is_singleton: bool = False) -> FileLock:
    """A lock file beside the catalog. The kernel frees it when its holder dies."""
    with modes.begun(settings):
        make_folder(settings.catalog.parent, mode=0o777)
    return FileLock(settings.catalog.parent / name, is_singleton=is_singleton)


@dataclass(frozen=True)
class Writer:
    """That somebody is the one writer."""

    file: Path
    descriptor: int
    is_outermost: bool

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Let others write for a `with` block, in any thread, unless an outer block is the writer.

        With its end this is the writer again, however long that takes: nobody asks once more.
        """
        if not self.is_outermost:
            yield
            return
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)
        try:
            yield
        finally:
            with FileLock(self.file.with_name(TURN)):
                fcntl.flock(self.descriptor, fcntl.LOCK_EX)
            _sign(self.file)


@contextmanager
def writer_lock(settings: Settings) -> Iterator[Writer]:
    """Be the one writer for the length of a `with` block.

    A thread that is the writer already goes on at once, and stays it until the outermost block
    ends. Who holds the lock, and since when, is in its file for those who wait.

    Raises:
        WriterBusyError: after `SEAMLINE_LOCK_SECONDS`.
    """
    with modes.begun(settings), _held(settings) as writer:
        yield writer


@contextmanager
def _held(settings: Settings) -> Iterator[Writer]:
    lock = file_lock(settings, is_singleton=True)
    is_outermost = not lock.is_locked
    try:
        _acquire(settings, lock)
    except Timeout:
        raise WriterBusyError(
            f"Another process has been writing to the warehouse for longer than "
            f"{settings.lock_seconds:g} s: {_holder(Path(lock.lock_file))}. Nothing was changed; "
            "what waits stays in the landing folder. Try again, or wait longer with "
            "SEAMLINE_LOCK_SECONDS."
        ) from None
    try:
        if is_outermost:
            _sign(Path(lock.lock_file))
        descriptor = lock._context.lock_file_fd or 0  # noqa: SLF001 - of this thread alone
        yield Writer(Path(lock.lock_file), descriptor, is_outermost)
    finally:
        lock.release()


def _acquire(settings: Settings, lock: FileLock) -> None:
    """Wait for one's turn to be the next, and then for the one who writes."""
    if lock.is_locked:
        lock.acquire()
        return
    until = time.monotonic() + settings.lock_seconds
    with file_lock(settings, TURN).acquire(timeout=settings.lock_seconds):
        lock.acquire(timeout=max(0.0, until - time.monotonic()))


def is_ours(settings: Settings) -> bool:
    """Whether this thread is the one writer."""
    return bool(file_lock(settings, is_singleton=True).is_locked)


@contextmanager
def marts_lock(settings: Settings) -> Iterator[None]:
    """Be the one who runs a user's models.

    Raises:
        WriterBusyError: after `SEAMLINE_LOCK_SECONDS`.
    """
    try:
        with file_lock(settings, MARTS).acquire(timeout=settings.lock_seconds):
            yield
    except Timeout:
        raise WriterBusyError(
            f"Other models of yours have been running for longer than {settings.lock_seconds:g} s. "
            "Nothing was changed."
        ) from None


def is_held(settings: Settings, name: str = WRITER) -> bool:
    """Whether some process has the lock right now."""
    lock = file_lock(settings, name)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _sign(file: Path) -> None:
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    signature = {"pid": os.getpid(), "command": _command(sys.argv), "since": since}
    with suppress(OSError):  # a full disk: whoever waits is told less, and the writer goes on
        file.write_text(json.dumps(signature))


def _holder(file: Path) -> str:
    try:
        holder = json.loads(file.read_text())
        return f"{holder['command']}, process {holder['pid']}, since {holder['since']} ({file})"
    except (OSError, ValueError, KeyError, TypeError):
        return f"it holds {file}"


def _command(arguments: list[str]) -> str:
    """The program, and which of its commands it is; no more, as an argument may name a person."""
    program = Path(arguments[0] or "python")
    name = program.parent.name if program.name == "__main__.py" else program.name
    named = [word for word in arguments[1:2] if re.fullmatch(r"[a-z][a-z-]*", word)]
    return " ".join([name, *named]) if name in _TELLING else name
