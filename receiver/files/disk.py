"""The disk that events land on: whether it takes them now, and the folders on it."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import structlog

from landed.files import FILE_MODE, FOLDER_MODE, sync_data, sync_folder, write_all
from landed.folders import FOLDERS, IMPORTS, NOT_STORED, SUPPRESSED
from receiver.errors import StartError

NEW_FILE = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

log = structlog.get_logger()


def make_folder(folder: Path) -> None:
    """Create a folder unless it is there, and make its name durable; its parent has to be there."""
    # Whoever made it may not have synced it yet, or may have died before that.
    with contextlib.suppress(FileExistsError):
        folder.mkdir(FOLDER_MODE)
    sync_folder(folder.parent)


def write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet; return when its bytes are on the disk, not its name."""
    descriptor = os.open(path, os.O_WRONLY | NEW_FILE, FILE_MODE)
    try:
        write_all(descriptor, data)
        sync_data(descriptor)
    finally:
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Say whether an open file is still what its path names."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


class FileState(NamedTuple):
    """What changes when a file does; all zero when it is not there."""

    inode: int = 0
    size: int = 0
    modified: int = 0
    changed: int = 0

    @classmethod
    def of(cls, found: os.stat_result) -> "FileState":
        """Return the state that a look has found."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def state_of(path: Path) -> FileState:
    """Return the state of a file that others may write to, and we read again once it changes."""
    try:
        return FileState.of(path.stat())
    except OSError:
        return FileState()


def has_space(folder: Path, needed: int) -> bool:
    """Say whether that many bytes are free."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize >= needed


def probe(folder: Path) -> None:
    """Write, sync, rename and remove a file, as landing an event does.

    Raises:
        OSError: one of these is not possible.
    """
    path = folder / f".probe-{uuid4().hex}"
    renamed = path.with_suffix(".renamed")
    descriptor = os.open(path, os.O_WRONLY | NEW_FILE, FILE_MODE)
    try:
        write_all(descriptor, b"probe\n")
        sync_data(descriptor)
        path.rename(renamed)
        sync_folder(folder)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        renamed.unlink(missing_ok=True)


def probe_problem(folder: Path, reserve: int) -> str | None:
    """Return why events cannot be landed in a folder now, or None if they can."""
    try:
        if not has_space(folder, reserve):
            return "disk_full"
        probe(folder)
    except OSError as error:
        return problem_code(error)
    return None


def problem_code(error: OSError) -> str:
    """Return the word for why something could not be written."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "disk_full" if full else "cannot_write"


def prepare_landing(folder: Path) -> None:
    """Create the landing folder unless it is there, and refuse one that is not ours alone.

    Raises:
        StartError: it cannot be used; the text says why and which setting changes it.
    """
    try:
        make_folder(folder)
        _refuse_foreign(folder, folder.stat())
        for name in (*FOLDERS, IMPORTS, SUPPRESSED, NOT_STORED):
            if os.path.lexists(folder / name):
                _refuse_foreign(folder / name, (folder / name).lstat())
    except OSError as error:
        raise cannot_land(folder, error) from error


def landing_warnings(folder: Path) -> Iterator[str]:
    """Yield a sentence for each folder in landing, and itself, that its group can write to.

    They are no reason not to start: a repository that was cloned with the umask 002 has such a
    folder, and so has one that an ACL shares with the loader's user.
    """
    for one in (folder, *(folder / name for name in (*FOLDERS, IMPORTS, SUPPRESSED, NOT_STORED))):
        with contextlib.suppress(OSError):  # not there
            mode = stat.S_IMODE(one.stat().st_mode)
            if mode & stat.S_IWGRP:
                yield (
                    f"{one} has mode {mode:04o}: its group can plant and exchange files in it; "
                    f"chmod g-w {one}"
                )


def log_landing_warnings(folder: Path) -> None:
    """Say each in a line of the log."""
    for warning in landing_warnings(folder):
        log.warning("landing_warning", warning=warning)


def read_own(path: Path) -> bytes:
    """Read a file of our own.

    Raises:
        OSError: it cannot be read, or is another user's.
    """
    # Not waiting: it may be a pipe that nobody writes to.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_uid != os.geteuid():
            raise PermissionError(errno.EACCES, "belongs to another user", str(path))
        return file.read()


def _refuse_foreign(folder: Path, found: os.stat_result) -> None:
    """Refuse a folder in which somebody else could plant or exchange files."""
    if not stat.S_ISDIR(found.st_mode):
        raise StartError(f"{folder} is not a folder. SEAMLINE_LANDING names the landing folder.")
    if found.st_uid != os.geteuid():
        raise StartError(
            f"{folder} belongs to another user; give it to the one the receiver runs as (chown), "
            "or name another folder in SEAMLINE_LANDING."
        )
    if found.st_mode & stat.S_IWOTH:
        raise StartError(
            f"{folder} can be written to by everybody; take that away (chmod o-w), "
            "or name another folder in SEAMLINE_LANDING."
        )


def cannot_land(folder: Path, error: OSError) -> StartError:
    """Return the refusal to start over a folder that cannot be written to."""
    return StartError(
        f"{folder} cannot be written to: {error.strerror}. "
        "SEAMLINE_LANDING names the landing folder."
    )
