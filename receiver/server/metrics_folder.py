"""The folder in which the receiver's processes share their counts.

It is in memory where that can be had: prometheus-client maps its files, and a mapped file on
a full disk ends the process that writes to it.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from landed.files import FILE_MODE, lock

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_PREFIX = "seamline-metrics-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is ours alone
_LOCK = "lock"


def prepare_metrics_folder() -> None:
    """Make the folder for this process and those it starts, and remove what dead ones left."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        _remove_abandoned(left)
    # It gets its name when it is locked, so that no other receiver takes it for a left one.
    unnamed = Path(tempfile.mkdtemp(dir=parent))
    # Held, by inheritance, until the last process has ended.
    lock(os.open(unnamed / _LOCK, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    folder = unnamed.rename(parent / f"{_PREFIX}{unnamed.name}")
    os.environ[FOLDER_VARIABLE] = str(folder)
    atexit.register(_remove_own, folder, os.getpid())


def _remove_abandoned(folder: Path) -> None:
    """Remove a folder of ours that nobody holds."""
    try:
        if folder.lstat().st_uid != os.getuid():
            return
        descriptor = os.open(folder / _LOCK, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if lock(descriptor):
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:  # not in a worker, which inherits what runs at exit
        shutil.rmtree(folder, ignore_errors=True)
