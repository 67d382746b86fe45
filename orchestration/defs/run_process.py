"""Whether the process of a run lives: it holds a file as long as it does, and the kernel knows.

Dagster's launcher does not say it. A run that waits for news gives no sign for a long time, and one
that is killed is to be replaced at once.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg

from orchestration.durable_files import make_folder
from orchestration.settings import Settings

_NEW = ".new"

RUNNING = "running"
"""The folder in Dagster's home; a file in it is named after its run."""


@contextmanager
def signed(settings: Settings, run_id: str) -> Iterator[None]:
    """Let others see that a run's process lives, for the length of a `with` block."""
    folder = settings.dagster_home / RUNNING
    make_folder(folder)
    for left in folder.iterdir():
        if (
            left.suffix != _NEW and is_alive(settings, left.name) is False
        ):  # Dagster has seen its end before the sensor did
            left.unlink(missing_ok=True)
    file = folder / run_id
    new = file.with_suffix(_NEW)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        new.rename(file)  # locked before anybody sees it
        yield
    finally:
        # first: what is not there says nothing, what is there and free says that we are dead
        file.unlink(missing_ok=True)
        os.close(descriptor)


def is_alive(settings: Settings, run_id: str) -> bool | None:
    """Whether a run's process lives; None if it has not signed yet, or no more."""
    file = settings.dagster_home / RUNNING / run_id
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False if os.fstat(descriptor).st_nlink else None
    finally:
        os.close(descriptor)


def forget(settings: Settings, run_id: str) -> None:
    """Remove what a dead process has left."""
    with suppress(FileNotFoundError):
        Path(settings.dagster_home / RUNNING / run_id).unlink()


@dg.resource(description="Says that the process of the run lives, from its first step to its last.")
def run_process(context: dg.InitResourceContext) -> Iterator[None]:
    """Sign for the run that the resource is made for."""
    if context.run is None:  # no run at all: a resource that somebody looks at
        yield
        return
    with signed(Settings(), context.run.run_id):
        yield
