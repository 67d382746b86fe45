"""One stack at a time on the same data."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from landed.files import lock
from stack.errors import StackError
from stack.supervisor import GRACE

NAME = "stack.lock"
POLL = 0.2


@contextmanager
def only_stack(folder: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Be the only stack on this DAGSTER_HOME for the length of a `with` block.

    The services inherit the lock. So after the death of a stack the next one waits here until the
    processes of the one before have ended, and their ports are free.

    Args:
        folder: DAGSTER_HOME.
        say: Called with a line to print, should there be something to wait for.

    Yields:
        The file descriptor to pass on to the services.

    Raises:
        StackError: Another stack is up, or the processes of the last one do not end.
    """
    descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not lock(descriptor):
            _refuse_living_owner(descriptor)
            say("Waiting for the processes of the last run to end …")
            _wait(descriptor, folder)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _wait(descriptor: int, folder: Path) -> None:
    deadline = time.monotonic() + GRACE + 10
    while not lock(descriptor):
        _refuse_living_owner(descriptor)  # another may have begun to wait, and got it
        if time.monotonic() > deadline:
            raise StackError(
                f"Processes of the last run still hold {folder / NAME}: end them, or set "
                "DAGSTER_HOME to another folder."
            )
        time.sleep(POLL)


def _refuse_living_owner(descriptor: int) -> None:
    owner = int(os.pread(descriptor, 20, 0) or b"0")
    if owner and _alive(owner):
        raise StackError(
            f"Seamline is already running here, as process {owner}: stop it first, or give "
            "this one other folders (DAGSTER_HOME, SEAMLINE_LANDING, SEAMLINE_WAREHOUSE)."
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True
