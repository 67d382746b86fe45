"""Taking people's lines out of what is not loaded: staged by an import, open, waiting, damaged."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from landed.folders import FOLDERS, IMPORTS
from orchestration.durable_files import write_whole
from orchestration.errors import ErasureStoppedError
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import LOADED
from orchestration.loading.blanking import blank, blank_people, found_in, lines_of
from orchestration.loading.people import Found, People, Person

_LOOK_EVERY = 0.1

_WAITING = ("*.ndjson", "*.ndjson.open", "*.torn", "*.conflict")

_ASIDE = ".erased"


class StillOpenError(ErasureStoppedError):
    """A file that may hold a person's events is still being written; the text says which."""


class ImportRunsError(ErasureStoppedError):
    """An import holds chunks that may have a person's events; the text says what to do."""


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
        with _locked(path):
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock that says of a file, or of an import's folder, that somebody is at it.

    Raises:
        BlockingIOError: another process holds it.
        FileNotFoundError: it is there no more, or another one under its name.
    """
    how = os.O_RDONLY if path.is_dir() else os.O_RDWR
    descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), path.lstat()):
            raise FileNotFoundError(path)
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(landing: Path) -> None:
    """Remove what a writer that was killed had begun to write beside its file."""
    begun = list((landing / IMPORTS).glob(f"*{_ASIDE}*"))
    for above in (landing, landing / LOADED, landing / ARCHIVE):
        begun += [path for folder in FOLDERS for path in (above / folder).glob(".*.new")]
    for path in begun:
        path.unlink(missing_ok=True)


def blank_staged(landing: Path, people: People) -> Found:
    """Take people out of the chunks of interrupted imports; before what waits: they go there next.

    An import's journal knows how many chunks and lines it has staged, and nothing of their bytes.

    Returns:
        Whose lines there were, and in which file.

    Raises:
        ImportRunsError: an import is at one of the folders.
    """
    found = Found()
    for staging in sorted(path for path in (landing / IMPORTS).glob("*") if path.is_dir()):
        try:
            with _locked(staging):
                for path in sorted(staging.iterdir()):
                    # not beside it: an import takes every file of the folder for a chunk
                    name = f"{staging.name}/{path.name}"
                    aside = staging.with_name(name.replace("/", "-") + _ASIDE)
                    found += blank_people(path, people, name=name, aside=aside)
        except FileNotFoundError:
            continue  # landed, and removed
        except BlockingIOError:
            raise ImportRunsError(
                f"An import is running and may hold events that have to go in {staging}. The "
                "erasure is not done: wait for the import, or end it, and ask once more, or leave "
                "it to the next hourly one."
            ) from None
    return found


class Looked(NamedTuple):
    """A waiting file, as it was when it was looked through."""

    path: Path
    state: os.stat_result
    lines: dict[int, set[Person]]


def look_through_waiting(landing: Path, people: People) -> Iterator[Looked | Path]:
    """Find people in everything that was not loaded, damaged and torn files too, with no lock.

    Yields:
        Files that have them; and, not looked through, those that are not sealed.
    """
    for folder in FOLDERS:
        for path in sorted(one for kind in _WAITING for one in (landing / folder).glob(kind)):
            if path.suffix == ".open":
                yield path
                continue
            with suppress(FileNotFoundError):  # loaded since then: it is found in the warehouse
                with path.open("rb") as file:
                    state = os.fstat(file.fileno())
                    lines = lines_of(file.read(), people)
                if lines:
                    yield Looked(path, state, lines)


def blank_waiting(looked: Looked | Path, people: People) -> Found:
    """Take people out of a file that was looked through; the caller has the writer's lock.

    Returns:
        Whose lines there were; none if the file has gone since, as a load took it.
    """
    if isinstance(looked, Path):
        return _blank_waiting_file(looked, people)
    path, state, lines = looked
    try:
        if _is_the_same(path.stat(), state):
            write_whole(path, blank(path.read_bytes(), lines))
            return found_in(path.name, lines)
        return blank_people(path, people)  # a load took out who is suppressed, and was killed
    except FileNotFoundError:
        return Found()


def _is_the_same(now: os.stat_result, before: os.stat_result) -> bool:
    return os.path.samestat(now, before) and (now.st_size, now.st_mtime_ns) == (
        before.st_size,
        before.st_mtime_ns,
    )


def _blank_waiting_file(path: Path, people: People) -> Found:
    try:
        if path.suffix != ".open":
            return blank_people(path, people)
        with _locked(path):
            return blank_people(path, people)
    except BlockingIOError:
        return Found()  # it is younger than this erasure
    except FileNotFoundError:
        with suppress(FileNotFoundError):  # or sealed or recovered since it was listed
            return blank_people(path.with_suffix(""), people, name=path.name)
        return Found()
