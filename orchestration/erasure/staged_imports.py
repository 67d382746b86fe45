"""Taking people's lines out of what an interrupted import has staged, in `landing/imports/<key>/`.

The import goes on from there later. Its journal knows how many chunks and lines it has staged, and
nothing of their bytes: an erased line stays as an empty one.
"""

import fcntl
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from landed.folders import IMPORTS
from orchestration.durable_files import sync_folder, write_whole
from orchestration.erasure.landed_lines import Note
from orchestration.errors import ErasureStoppedError
from orchestration.loading.blanking import blank, lines_of
from orchestration.loading.people import People, Person

_ASIDE = ".erased"


class ImportRunsError(ErasureStoppedError):
    """An import holds chunks that may have a person's events; the text says what to do."""


def blank_staged(landing: Path, people: People, note: Note) -> None:
    """Take people out of the staged chunks; before what waits, as that is where these go next.

    Args:
        landing: The landing folder.
        people: Who.
        note: Told whose lines there were, in which file, and how many.

    Raises:
        ImportRunsError: an import is at one of the folders.
    """
    imports = landing / IMPORTS
    _remove_leftovers(imports)
    for staging in sorted(path for path in imports.glob("*") if path.is_dir()):
        with _claimed(staging) as is_there:
            for path in sorted(staging.iterdir()) if is_there else ():
                for person, lines in _blank(path, people).items():
                    note(person, f"{staging.name}/{path.name}", lines)


@contextmanager
def _claimed(staging: Path) -> Iterator[bool]:
    """Keep imports from a staging folder; it may have been landed and removed by then."""
    try:
        descriptor = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportRunsError(
                f"An import is running and may hold events that have to go in {staging}. The "
                "erasure is not done: wait for the import, or end it, and ask once more, or leave "
                "it to the next hourly one."
            ) from None
        yield _is_at(descriptor, staging)
    finally:
        os.close(descriptor)


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _blank(path: Path, people: People) -> Counter[Person]:
    data = path.read_bytes()
    found = lines_of(people, data)
    if found:
        # not beside it: an import takes every file of the folder for a chunk
        aside = path.parents[1] / f"{path.parent.name}-{path.name}{_ASIDE}"
        write_whole(aside, blank(data, found))
        aside.rename(path)
        sync_folder(path.parent)
    return Counter(person for whose in found.values() for person in whose)


def _remove_leftovers(imports: Path) -> None:
    """Remove what an erasure that was killed had written and not put in its place."""
    for kind in (f"*{_ASIDE}", f".*{_ASIDE}.new"):
        for path in imports.glob(kind):
            path.unlink()
