"""Fetching: an object that waits becomes a sealed file here, whole, proved and on the disk.

First it is written where nobody looks; then it is noted; and only then it gets its name. Who dies
in between leaves what is noted to be named, and what is not to be fetched again.
"""

import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

from landed.aside import put_aside
from landed.files import FILE_MODE, LONGEST_NAME, sync_data
from landed.folders import FOLDERS, REMOTE
from landed.object_store import CONFLICTS, WAITING, DamagedObjectError, Listed, StoreError
from orchestration.durable_files import make_folder, sync_folder
from orchestration.remote.exchange import Exchange
from orchestration.remote.known import FileState, Known

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Objects that are fetched at the same time."""

MOST_FILES = 2_000
"""So many files that were fetched wait here at most, and come in one pass."""

MOST_COUNTED = 10_000
"""So many of those that are left are counted: ten requests to list them."""

MOST_BYTES = 1 << 30
"""So many bytes of them. No landed file is larger: it is sealed at a sixteenth of that."""

LEAST_FREE = 256 << 20
"""Of the disk, what is left free."""

LOOK_AGAIN_SECONDS = 300.0
"""After so long an object is tried again that is damaged or too large, or may not be read."""

MOST_USELESS = 100_000
"""So many of those are remembered."""

_KEY = re.compile(
    rf"{WAITING}/({'|'.join(FOLDERS)})/(?=[^/]{{1,{LONGEST_NAME}}}$)[A-Za-z0-9][A-Za-z0-9._-]*\.ndjson"
)
_ON_ITS_WAY = f"{REMOTE}/arriving"


class Fetched(NamedTuple):
    """What a pass has fetched."""

    files: int
    left: int
    """Objects that wait there still."""
    useless: list[str]
    """Objects that wait there and are no landed files, or damaged, too large or not given."""


class _Arrived(NamedTuple):
    key: str
    sha256: str
    aside: Path
    state: FileState


def fetch(ex: Exchange, *, is_bounded: bool = True) -> Fetched:
    """Fetch what waits, as far as there is room for it here.

    Call by call, in the order of their names, the oldest of each first: after an outage `track`
    waits until those before it have come.

    Args:
        ex: What with.
        is_bounded: Whether so many files come at most as a few loads take.

    Raises:
        StoreError: the store does not answer; what has arrived is here.
        OSError: the disk does not take it.
    """
    name_what_arrived(ex)
    room_files, room_bytes = _room(ex, is_bounded=is_bounded)
    waiting = _Waiting(ex)
    fetched = 0
    failed: list[StoreError] = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while some := waiting.that_fit(min(AT_ONCE, room_files), room_bytes):
            coming = [threads.submit(_arrive, ex, one) for one in some]
            arrived, not_arrived = _note_arrived(ex, coming)
            failed += not_arrived
            waiting.useless += [one.key for one in some if _is_useless(ex, one)]
            if not_arrived and not arrived:
                break  # and not only of one object
            fetched += len(arrived)
            room_files -= len(arrived)
            room_bytes -= sum(one.state.size for one in arrived)
    if failed:
        raise failed[0]
    left = list(islice(waiting.rest(), MOST_COUNTED))
    oldest = min((one.changed.timestamp() for one in left), default=None)
    ex.known.note_look(len(left) + len(waiting.useless), oldest)
    return Fetched(fetched, len(left), waiting.useless)


def local_path(landing: Path, key: str) -> Path:
    """Where the file of an object is: as there, but for what waits or is put aside."""
    if key.startswith(f"{CONFLICTS}/"):
        return landing / f"{key.removeprefix(f'{CONFLICTS}/')}.conflict"
    return landing / key.removeprefix(f"{WAITING}/")


def name_what_arrived(ex: Exchange) -> None:
    """Give what was noted its name, and remove what was not: it is fetched again."""
    folders = set()
    for aside in sorted((ex.landing / _ON_ITS_WAY).glob("*/*")):
        key = f"{WAITING}/{aside.parent.name}/{aside.name}"
        known = ex.known.get(key)
        if known is None or known.is_settled:
            aside.unlink()
            continue
        path = local_path(ex.landing, key)
        make_folder(path.parent)
        if path.exists() and path.read_bytes() != aside.read_bytes():
            log.error("%s is here already, with other contents than in the store.", path)
            put_aside(aside, path)
        else:
            aside.rename(path)
        folders.add(path.parent)
    for folder in folders:
        sync_folder(folder)


class _Waiting:
    """What waits in the store and is not here, listed as far as it is asked for."""

    def __init__(self, ex: Exchange) -> None:
        self._ex = ex
        self._most = min(MOST_BYTES, max(_free(ex.landing), LEAST_FREE))
        self._new = self._look()
        self._next: Listed | None = None
        self.useless: list[str] = []

    def rest(self) -> Iterator[Listed]:
        """Go on with those that are to be fetched."""
        return iter(self._take, None)

    def that_fit(self, number: int, size: int) -> list[Listed]:
        """Return the next that have room together, so many at most; none if the first has none."""
        fit: list[Listed] = []
        while len(fit) < number and (one := self._take()):
            size -= one.size
            if size < 0:
                self._next = one
                break
            fit.append(one)
        return fit

    def _take(self) -> Listed | None:
        one, self._next = self._next or next(self._new, None), None
        return one

    def _look(self) -> Iterator[Listed]:
        known = self._ex.known.below(WAITING)
        for one in self._ex.store.list(WAITING):
            if _is_useless(self._ex, one):
                self.useless.append(one.key)
            elif not _KEY.fullmatch(one.key):
                self.useless.append(one.key)
                _leave(self._ex, one, f"{one.key} is called like no landed file")
            elif one.size > self._most:
                self.useless.append(one.key)
                _leave(self._ex, one, f"For the {one.size:,} bytes of {one.key} is no room here")
            elif self._is_new(one, known.get(one.key)):
                yield one

    def _is_new(self, one: Listed, known: Known | None) -> bool:
        """Whether an object was not fetched, or was and has other contents now."""
        if known is None:
            return True
        return known.is_settled and not self._came_again(one, known.sha256)

    def _came_again(self, one: Listed, sha256: str) -> bool:
        """Whether a file that was shipped and loaded was shipped once more, as who shipped it died.

        It is removed; if the store does not let it be, it is left.
        """
        try:
            found = self._ex.store.look(one.key)
            if found is None or found.sha256 != sha256:
                return False
            self._ex.be_its_loader()
            self._ex.store.delete([one.key])
        except StoreError as error:
            if not error.is_lasting:
                raise
            self.useless.append(one.key)
            _leave(self._ex, one, error.message)
        return True


def _room(ex: Exchange, *, is_bounded: bool) -> tuple[int, int]:
    """How many files, and bytes, may still come."""
    free = _free(ex.landing)
    if not is_bounded:
        return sys.maxsize, free
    here = [
        known.state.size
        for key, known in ex.known.below(WAITING).items()
        if not known.is_settled and local_path(ex.landing, key).exists()
    ]
    return MOST_FILES - len(here), min(MOST_BYTES - sum(here), free)


def _free(landing: Path) -> int:
    return shutil.disk_usage(landing).free - LEAST_FREE


def _arrive(ex: Exchange, one: Listed) -> _Arrived | None:
    """Write an object's bytes aside, and prove them; None if it cannot be used."""
    aside = ex.landing / _ON_ITS_WAY / one.key.removeprefix(f"{WAITING}/")
    try:
        sha256, state = copy_here(ex, one.key, aside, most=one.size)
    except FileNotFoundError:
        return None
    except StoreError as error:
        if not isinstance(error, DamagedObjectError) and not error.is_lasting:
            raise
        _leave(ex, one, error.message)  # of this object alone: the others come
        return None
    return _Arrived(one.key, sha256, aside, state)


def copy_here(
    ex: Exchange, key: str, path: Path, *, most: int | None = None
) -> tuple[str, FileState]:
    """Write an object's bytes into a file, proved and on the disk; its name may not be there yet.

    Args:
        ex: What with.
        key: The object.
        path: The file.
        most: So many bytes it has at most, as a list has told.

    Returns:
        Their SHA-256, and the state of the file.

    Raises:
        FileNotFoundError: there is no such object. As with every error there is no file then.
        DamagedObjectError: it is not what was put.
        StoreError: it is not to be had now.
    """
    make_folder(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            sha256 = ex.store.get(key, file.write if most is None else _at_most(most, key, file))
            file.flush()
            sync_data(file.fileno())
            return sha256, FileState.of(os.fstat(file.fileno()))
    except BaseException:
        path.unlink()
        raise


def _at_most(most: int, key: str, file: BinaryIO) -> Callable[[bytes], int]:
    """Write into a file, but no more than a list has told: somebody puts another object there."""

    def write(data: bytes) -> int:
        if file.tell() + len(data) > most:
            raise DamagedObjectError(f"{key} has become larger than it was")
        return file.write(data)

    return write


def _note_arrived(
    ex: Exchange, coming: list[Future[_Arrived | None]]
) -> tuple[list[_Arrived], list[StoreError]]:
    """Note what has arrived, also where one of them fails.

    Returns:
        What has, and why others have not.

    Raises:
        OSError: of the first that the disk does not take.
    """
    errors = [one.exception() for one in coming]
    arrived = [
        one
        for result, error in zip(coming, errors, strict=True)
        if error is None and (one := result.result())
    ]
    for folder in {one.aside.parent for one in arrived}:
        sync_folder(folder)
    ex.known.add((one.key, one.sha256, one.state) for one in arrived)
    name_what_arrived(ex)
    for error in errors:
        if error is not None and not isinstance(error, StoreError):
            raise error
    return arrived, [error for error in errors if isinstance(error, StoreError)]


_useless: dict[str, tuple[datetime, float]] = {}
"""Object → when it was put, and when it was found to be of no use."""


def _is_useless(ex: Exchange, one: Listed) -> bool:
    changed, found = _useless.get(_place(ex, one.key), (None, 0.0))
    return changed == one.changed and time.monotonic() - found < LOOK_AGAIN_SECONDS


def _leave(ex: Exchange, one: Listed, why: str) -> None:
    """Say why an object is of no use, and leave it where it is: it is in nobody's way."""
    before = _useless.get(_place(ex, one.key))
    _useless[_place(ex, one.key)] = one.changed, time.monotonic()
    while len(_useless) > MOST_USELESS:
        _useless.pop(next(iter(_useless)))
    if before and before[0] == one.changed:
        return  # it was said
    log.error("%s: it is not loaded, and stays in the store. Look what it is.", why)


def _place(ex: Exchange, key: str) -> str:
    return f"{ex.store.address}/{key}"
