"""One writer at a time: the load, dbt and everything else that writes to the warehouse."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from landed.errors import ReportedError
from orchestration import modes
from orchestration.settings import Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.locks import MARTS, WRITER, Lock

_here = threading.local()
"""`locks`: those by which this thread is the writer, of one warehouse or of several."""


class WriterBusyError(ReportedError):
    """Another process has been writing for longer than we wait."""


@dataclass(frozen=True)
class Writer:
    """That somebody is the one writer."""

    lock: Lock
    is_outermost: bool

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Let others write for a `with` block, in any thread, unless an outer block is the writer.

        With its end this is the writer again, however long that takes: nobody asks once more.
        """
        if not self.is_outermost:
            yield
            return
        self.lock.give_way()
        try:
            yield
        finally:
            self.lock.take_again()


@contextmanager
def writer_lock(settings: Settings) -> Iterator[Writer]:
    """Be the one writer for the length of a `with` block.

    A thread that is the writer already goes on at once, and stays it until the outermost block
    ends. Those who wait are told who holds the lock, and since when.

    Raises:
        WriterBusyError: after `SEAMLINE_LOCK_SECONDS`.
        WarehouseUnusableError: the lock is on a server that cannot be reached.
    """
    with modes.begun(settings), _held(settings) as writer:
        yield writer


@contextmanager
def _held(settings: Settings) -> Iterator[Writer]:
    lock = catalog_of(settings).lock(WRITER)
    is_outermost = not lock.is_ours
    try:
        lock.acquire(settings.lock_seconds)
    except TimeoutError:
        raise WriterBusyError(
            f"Another process has been writing to the warehouse for longer than "
            f"{settings.lock_seconds:g} s: {lock.holder()}. Nothing was changed; "
            "what waits stays in the landing folder. Try again, or wait longer with "
            "SEAMLINE_LOCK_SECONDS."
        ) from None
    held = _locks_here()
    held.append(lock)
    try:
        yield Writer(lock, is_outermost)
    finally:
        held.remove(lock)
        lock.release()


def _locks_here() -> list[Lock]:
    if not hasattr(_here, "locks"):
        _here.locks = []
    found: list[Lock] = _here.locks
    return found


def held_here() -> Lock | None:
    """The lock that this thread has taken last, by which it writes."""
    return next(reversed(_locks_here()), None)


def is_ours(settings: Settings) -> bool:
    """Whether this thread is the one writer."""
    return catalog_of(settings).lock(WRITER).is_ours


@contextmanager
def marts_lock(settings: Settings) -> Iterator[None]:
    """Be the one who runs a user's models.

    Raises:
        WriterBusyError: after `SEAMLINE_LOCK_SECONDS`.
    """
    lock = catalog_of(settings).new_lock(MARTS)
    try:
        lock.acquire(settings.lock_seconds)
    except TimeoutError:
        raise WriterBusyError(
            f"Other models of yours have been running for longer than {settings.lock_seconds:g} s. "
            "Nothing was changed."
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_held(settings: Settings, name: str = WRITER) -> bool:
    """Whether some process has the lock right now."""
    lock = catalog_of(settings).new_lock(name)
    try:
        lock.acquire(0)
    except TimeoutError:
        return True
    lock.release()
    return False
