"""Taking people's lines out of the landing folder: what waits, what is loaded, what is archived."""

import fcntl
import hashlib
import logging
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import duckdb

from landed.folders import FOLDERS
from orchestration.durable_files import write_whole
from orchestration.errors import ErasureStoppedError
from orchestration.loading import landed_file
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import (
    DamagedArchiveError,
    archives_of_hour,
    hour_of,
    read_archive,
    write_archive,
)
from orchestration.loading.blanking import blank, blank_people
from orchestration.loading.insert import known_checksums
from orchestration.loading.load import LOADED, move_to_loaded
from orchestration.loading.people import People, Person

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.1

_WAITING = ("*.ndjson", "*.ndjson.open", "*.torn", "*.conflict")


class StillOpenError(ErasureStoppedError):
    """A file that may hold a person's events is still being written; the text says which."""


class ArchiveInTheWayError(ErasureStoppedError):
    """An archive that may hold a person's events is damaged; the text says what to do."""


Note = Callable[[Person, str, int], None]


class Bytes(NamedTuple):
    """What a landed file is now."""

    sha256: str
    size: int


class Place(NamedTuple):
    """A landed file by its folder and name."""

    call: str
    name: str


def wait_for_open_files(landing: Path, seconds: float) -> None:
    """Wait until the files that are being written now are sealed; one that nobody writes is not.

    Raises:
        StillOpenError: one is not, after that many seconds.
    """
    deadline = time.monotonic() + seconds
    waited_for = [path for call in FOLDERS for path in (landing / call).glob("*.ndjson.open")]
    for path in waited_for:
        while _is_written(path):
            if time.monotonic() > deadline:
                raise StillOpenError(
                    f"{path} is still being written after {seconds:.0f} s, and may hold events "
                    "that have to go. The erasure is not done: ask for it once more."
                )
            time.sleep(_LOOK_EVERY)


def _is_written(path: Path) -> bool:
    try:
        with _locked(path) as is_ours:
            return not is_ours
    except FileNotFoundError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a file's lock, if nobody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield os.path.samestat(os.fstat(descriptor), path.lstat())
    finally:
        os.close(descriptor)


def settle(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Move what is in the warehouse to where it belongs, as a load does that was not killed.

    Before anything is erased: a loaded file among the waiting ones that is not what was loaded
    would be taken for another file of that name.
    """
    waiting = list(landed_file.sealed_files(landing))
    known = known_checksums(con, [file.name for file in waiting])
    for file in waiting:
        loaded_as = known.get(file.name)
        with suppress(FileNotFoundError):  # taken away since it was listed
            if loaded_as and _bytes(file.path.read_bytes()).sha256 == loaded_as:
                move_to_loaded(landing, file)


def remove_leftovers(landing: Path) -> None:
    """Remove what a writer that was killed had begun to write beside its file."""
    for above in (landing, landing / LOADED, landing / ARCHIVE):
        for folder in FOLDERS:
            for path in (above / folder).glob(".*.new"):
                path.unlink(missing_ok=True)


def blank_waiting(landing: Path, people: People, note: Note) -> None:
    """Take people out of everything that was not loaded, damaged and torn files too.

    Args:
        landing: The landing folder.
        people: Who.
        note: Told whose lines there were, in which file, and how many.
    """
    for folder in FOLDERS:
        for path in sorted(one for kind in _WAITING for one in (landing / folder).glob(kind)):
            for person, lines in _blank_waiting_file(path, people).items():
                note(person, path.name, lines)


def _blank_waiting_file(path: Path, people: People) -> Counter[Person]:
    try:
        if path.suffix != ".open":
            return blank_people(path, people)
        with _locked(path) as is_ours:  # or it is younger than this erasure
            return blank_people(path, people) if is_ours else Counter()
    except FileNotFoundError:  # sealed or recovered since it was listed
        sealed = path.with_suffix("")
        return blank_people(sealed, people) if sealed.exists() else Counter()


def erased_lines(con: duckdb.DuckDBPyConnection) -> Iterator[dict[Place, set[int]]]:
    """The lines in `erased`, by the landed file they came in, the files of an hour at a time.

    Each is of the place its file was loaded from, wherever its row is by now.
    """
    hours = con.execute("select distinct left(file, 11) from erased order by all").fetchall()
    for (hour,) in hours:
        lines: dict[Place, set[int]] = defaultdict(set)
        for call, file, line in con.execute(
            """
            select distinct loaded.call, file, line from erased
            join (
                select distinct file, call from raw.landed_file
                where not (bytes = 0 and rejected < 0)
            ) as loaded using (file)
            where left(file, 11) = $1
            """,
            [hour],
        ).fetchall():
            lines[Place(call, file)].add(line)
        if lines:
            yield lines


def blank_loaded(landing: Path, lines: dict[Place, set[int]]) -> dict[Place, Bytes]:
    """Take lines out of loaded files of an hour, in `loaded/` and in archives.

    Those that are already out are no problem, and a file that is nowhere has expired.

    Returns:
        What each file is now.

    Raises:
        ArchiveInTheWayError: an archive of the hour cannot be read, or not be written anew.
    """
    now: dict[Place, Bytes] = {}
    for place, numbers in lines.items():
        for folder in (landing / LOADED / place.call, landing / place.call):
            path = folder / place.name
            with suppress(FileNotFoundError):
                data = path.read_bytes()
                blanked = blank(data, numbers)
                if blanked != data:
                    write_whole(path, blanked)
                now[place] = _bytes(blanked)
    for call in sorted({place.call for place in lines}):
        of_call = {place.name: numbers for place, numbers in lines.items() if place.call == call}
        hour = hour_of(next(iter(of_call)))
        for archive in archives_of_hour(landing, call, hour):
            try:
                found = _blank_archive(archive, of_call)
            except DamagedArchiveError as damage:
                raise ArchiveInTheWayError(
                    f"{damage}. It may hold events that have to go, and the erasure is not done. "
                    f"Move {archive} out of the landing folder, erase it by hand, and ask for the "
                    "erasure once more (docs/runbooks/erasure.md)."
                ) from damage
            now |= {Place(call, name): one for name, one in found.items()}
    return now


def _blank_archive(archive: Path, lines: dict[str, set[int]]) -> dict[str, Bytes]:
    """Write an archive anew if it has some of these lines; return what its files are now."""
    checksums = {}
    now = {}
    is_changed = False
    for name, data in read_archive(archive):
        blanked = blank(data, lines.get(name, ()))
        is_changed |= blanked != data
        checksums[name] = _bytes(blanked).sha256
        if name in lines:
            now[name] = _bytes(blanked)
    if is_changed:
        anew = ((name, blank(data, lines.get(name, ()))) for name, data in read_archive(archive))
        write_archive(archive, anew, checksums)
    return now


def _bytes(data: bytes) -> Bytes:
    return Bytes(hashlib.sha256(data).hexdigest(), len(data))
