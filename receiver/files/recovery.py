"""Recovery: the files of a process that died are sealed by the next one that starts.

Such a file has no lock. Its whole lines stay, a torn end moves to a `.torn` file beside it.
A damaged line with whole ones behind it stays as well: the loader names it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from landed.files import FILE_MODE, lock, sync_folder, write_all
from landed.folders import FOLDERS
from receiver.files.disk import is_at
from receiver.files.envelope import is_of_another_version, is_whole


class Recovered(NamedTuple):
    """What became of one file.

    Attributes:
        name: its name once sealed, or that of a folder which cannot be read.
        kept: bytes of whole lines.
        torn: bytes moved to the `.torn` file.
        problem: why it is still as it was, if it is.
    """

    name: str
    kept: int = 0
    torn: int = 0
    problem: str | None = None


def recover(landing: Path) -> list[Recovered]:
    """Seal every file in a landing folder that nobody is writing any more."""
    return [outcome for name in FOLDERS for outcome in _recover_folder(landing / name)]


def _recover_folder(folder: Path) -> Iterator[Recovered]:
    try:
        orphans = sorted(folder.glob("*.ndjson.open"))
    except OSError as error:
        yield Recovered(folder.name, problem=error.strerror)
        return
    yield from filter(None, map(_recover_file, orphans))


def _recover_file(path: Path) -> Recovered | None:
    try:
        return _recover_unlocked(path)
    except FileNotFoundError:
        return None  # sealed since we looked
    except OSError as error:
        return Recovered(path.name, problem=error.strerror)


def _recover_unlocked(path: Path) -> Recovered | None:
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Without the lock it is in use; without its name another process has recovered it.
        if not lock(descriptor) or not is_at(descriptor, path):
            return None
        return _seal_whole_lines(descriptor, path)
    finally:
        os.close(descriptor)


def _seal_whole_lines(descriptor: int, path: Path) -> Recovered:
    kept = _end_of_whole_lines(descriptor)
    torn = os.fstat(descriptor).st_size - kept
    if torn:
        _keep_torn_end(descriptor, kept, path.with_suffix(".torn"))
        os.ftruncate(descriptor, kept)
    os.fsync(descriptor)
    if kept:
        path.rename(path.with_suffix(""))
    else:
        path.unlink()
    sync_folder(path.parent)
    return Recovered(path.name.removesuffix(".open"), kept, torn)


def _end_of_whole_lines(descriptor: int) -> int:
    """Return where the last whole line ends."""
    end = position = 0
    with os.fdopen(os.dup(descriptor), "rb") as file:
        for line in file:
            position += len(line)
            # What another version wrote is the loader's to refuse, and not ours to hide.
            if is_whole(line) or is_of_another_version(line):
                end = position
    return end


def _keep_torn_end(descriptor: int, start: int, path: Path) -> None:
    # A recovery that was itself cut short may have left half of it: written anew.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    torn = os.open(path, flags, FILE_MODE)
    try:
        os.lseek(descriptor, start, os.SEEK_SET)
        while piece := os.read(descriptor, 1 << 20):
            write_all(torn, piece)
        os.fsync(torn)
    finally:
        os.close(torn)
    sync_folder(path.parent)
