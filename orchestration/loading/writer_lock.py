"""One writer at a time: the load, dbt and everything else that writes to the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from orchestration.loading.durable import make_folder
from orchestration.settings import Settings


class WriterBusyError(Exception):
    """Another process has been writing for longer than we wait."""


def file_lock(settings: Settings) -> FileLock:
    """The lock file beside the catalog. The kernel frees it when its holder dies."""
    make_folder(settings.catalog.parent, mode=0o777)
    return FileLock(settings.catalog.parent / "writer.lock")


def take(settings: Settings) -> FileLock:
    """Wait for the writer's place and take it.

    Returns:
        The lock, held until its `release` or the end of the process.

    Raises:
        WriterBusyError: after `SEAMLINE_LOCK_SECONDS`.
    """
    lock = file_lock(settings)
    try:
        lock.acquire(timeout=settings.lock_seconds)
    except Timeout:
        raise WriterBusyError(
            f"Another process has been writing to the warehouse for {settings.lock_seconds:.0f} s "
            f"(it holds {lock.lock_file}). Nothing was changed; what waits stays in the landing "
            "folder. Try again, or wait longer with SEAMLINE_LOCK_SECONDS."
        ) from None
    return lock


@contextmanager
def writer_lock(settings: Settings) -> Iterator[None]:
    """Be the one writer for the length of a `with` block (see `take`)."""
    lock = take(settings)
    try:
        yield
    finally:
        lock.release()


def is_held(settings: Settings) -> bool:
    """Whether some process is writing right now."""
    lock = file_lock(settings)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
