"""What makes a file durable: there whole or not at all, after a power cut too. And its lock."""

import fcntl
import os
import sys
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700

LONGEST_NAME = 200
"""So long a file's name is at most that comes from elsewhere: what is put before and behind it,
such as `.conflict`, has room in the 255 bytes that file systems have."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def sync_data(descriptor: int) -> None:
    """Return when what was written to a file is on the disk itself."""
    if sys.platform == "darwin":
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the drive's cache there
    else:
        os.fdatasync(descriptor)


def sync_file(path: Path) -> None:
    """Return when what anybody has written to a file is on the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(path: Path) -> None:
    """Return when the names in a folder are on the disk: a created or renamed file needs it."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it: one call may take less than it was given, for instance on a full disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_whole(path: Path, data: bytes, aside: Path | None = None) -> None:
    """Write a file in the place of one that may be there, for its owner's eyes only.

    Args:
        path: The file.
        data: What it is to hold.
        aside: Where it is written before it gets its name; beside it if not given.
    """
    written = aside or path.with_name(f".{path.name}.new")
    descriptor = os.open(written, _NEW, FILE_MODE)
    try:
        write_all(descriptor, data)
        sync_data(descriptor)
    finally:
        os.close(descriptor)
    written.rename(path)
    sync_folder(path.parent)


def lock(descriptor: int) -> bool:
    """Take the exclusive lock that says *in use*; False if another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
