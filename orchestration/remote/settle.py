"""Settling: once a load has taken a fetched file, what came of it is kept there, and waits no more.

The kept object is there before the one that waited goes, so that a death in between leaves both,
and the next pass does the rest. It is put from here and not copied there: what has been taken out
of the file meanwhile, as its people are suppressed or erased, does not come back.
"""

import logging
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from landed.aside import put_aside_of
from landed.object_store import CONFLICTS, WAITING, StoreError
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import LOADED, DamagedArchiveError
from orchestration.remote.exchange import Exchange
from orchestration.remote.fetch import local_path, name_what_arrived
from orchestration.remote.known import FileState, Known, KnownObjects
from orchestration.remote.packed import PackedFiles

log = logging.getLogger(__name__)

AT_ONCE = 8
"""Files that are put at the same time."""

TOGETHER = 64
"""So many are settled together: the objects that waited go with one request."""

REMEMBERED_SECONDS = 30 * 86_400.0
"""For so long it is known what was shipped of files that lines were taken out of: who shipped one
may come back and do it again. Of all others a load knows it."""

Problem = OSError | DamagedArchiveError | StoreError
"""With one file: it cannot be read here, or is not taken there. All others go on."""


def settle(ex: Exchange) -> int:
    """Settle every object whose file a load has taken.

    Returns:
        How many were.

    Raises:
        StoreError: the store does not take some file, or none; what was settled is so.
        OSError, DamagedArchiveError: some file cannot be read here; all others are settled.
    """
    name_what_arrived(ex)
    waiting = [one for one in ex.known.below(WAITING).items() if not one[1].is_settled]
    settled = 0
    problems: list[Problem] = []
    packed = PackedFiles(ex.landing)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for start in range(0, len(waiting), TOGETHER):
            some = waiting[start : start + TOGETHER]
            ex.known.foresee(_loaded(ex, some))  # one transaction: each is synced
            kept = dict(zip(some, threads.map(partial(_keep, ex, packed), some), strict=True))
            problems += [one for one in kept.values() if isinstance(one, Exception)]
            shas = {one: sha256 for one, sha256 in kept.items() if isinstance(sha256, str)}
            if shas:
                ex.be_its_loader()
            ex.store.delete(key for key, _ in shas)
            ex.known.settle(key for (key, known), sha256 in shas.items() if sha256 != known.sha256)
            ex.known.forget(key for (key, known), sha256 in shas.items() if sha256 == known.sha256)
            settled += len(shas)
            if takes_nothing(kept.values()):
                break
    if problems:
        raise problems[0]
    ex.known.forget_settled(time.time() - REMEMBERED_SECONDS)
    return settled


def _loaded(ex: Exchange, some: Iterable[tuple[str, Known]]) -> Iterator[str]:
    """The objects in `loaded/` that fetched files become, of those that are loaded here."""
    for key, _ in some:
        loaded = f"{LOADED}/{key.removeprefix(f'{WAITING}/')}"
        if (ex.landing / loaded).exists():
            yield loaded


def takes_nothing(said: Collection[object]) -> bool:
    """Whether the store takes none of some files: no more of it is asked then."""
    return all(isinstance(one, StoreError) for one in said)


def remember_shipped(landing: Path, files: Mapping[str, str]) -> None:
    """Remember what files were as they were shipped, from which lines are about to be taken.

    A machine that received one may have died before it let go of it, and ship it once more.

    Args:
        landing: The landing folder.
        files: `<call>/<name>` → SHA-256.
    """
    known = KnownObjects(landing)
    try:
        known.remember({f"{WAITING}/{file}": sha256 for file, sha256 in files.items()})
    finally:
        known.close()


def _keep(ex: Exchange, packed: PackedFiles, one: tuple[str, Known]) -> str | Problem | None:
    """Keep what came of a fetched file.

    Returns:
        The SHA-256 of what it is now, why it cannot be kept, or nothing if it waits here still.
    """
    key, known = one
    path = local_path(ex.landing, key)
    try:
        if path.exists():
            with suppress(FileNotFoundError):  # loaded just now: it is settled next time
                _put_if_changed(ex, key, path, known)
            return None
        kept = _kept(ex, packed, path, known)
    except (OSError, DamagedArchiveError, StoreError) as error:  # all others are settled
        return error
    if kept is None and not path.exists():
        log.error("%s was taken away before it was loaded: it is fetched again.", path)
        ex.known.forget([key])
    return kept


def _kept(ex: Exchange, packed: PackedFiles, path: Path, known: Known) -> str | None:
    """Keep a file that does not wait any more, wherever it is; return its SHA-256."""
    call, name = path.parent.name, path.name
    key = f"{LOADED}/{call}/{name}"
    try:
        keep(ex, key, ex.landing / LOADED / call / name)
    except FileNotFoundError:
        sha256 = _kept_in_archive(ex, packed, call, name)
    else:
        now = ex.known.get(key)
        sha256 = now.sha256 if now else None
    if sha256 != known.sha256 and _kept_aside(ex, path, known):
        return known.sha256
    return sha256


def _kept_aside(ex: Exchange, path: Path, known: Known) -> bool:
    """Keep what was put aside of a name; return whether the file that was fetched is among it."""
    is_still = False
    for aside in put_aside_of(path):
        key = f"{CONFLICTS}/{path.parent.name}/{aside.name.removesuffix('.conflict')}"
        with suppress(FileNotFoundError):  # somebody has decided what it is
            keep(ex, key, aside)
            is_still |= FileState.of(aside.stat()) == known.state
    return is_still


def _put_if_changed(ex: Exchange, key: str, path: Path, known: Known) -> None:
    """Put a file again from which lines were taken while it waits here."""
    with path.open("rb") as file:
        state = state_of(file.fileno())
        if state != known.state and not _kept_aside(ex, path, known):
            ex.store.put(key, file, was=known.sha256)
            ex.known.add([(key, known.sha256, state)])


def keep(ex: Exchange, key: str, path: Path) -> bool:
    """Put a file in the place of what is there, unless it is the same; whether it had to be.

    Raises:
        FileNotFoundError: there is no such file here.
        StoreError: the store does not take it.
    """
    with path.open("rb") as file:
        state = state_of(file.fileno())
        known = ex.known.get(key)
        if known and known.state == state:
            return False
        if known is None:  # who dies behind the put leaves no object of which nothing is known
            ex.known.foresee([key])
        ex.known.add([(key, ex.store.put(key, file), state)])
        return True


def state_of(descriptor: int) -> FileState:
    """The state of an open file."""
    return FileState.of(os.fstat(descriptor))


def _kept_in_archive(ex: Exchange, packed: PackedFiles, call: str, name: str) -> str | None:
    """Keep the archive that a file was packed in since it was loaded; return its SHA-256."""
    with packed.one_at_a_time:
        found = packed.find(call, name)
        if found is None:
            return None
        archive, sha256 = found
        keep(ex, f"{ARCHIVE}/{call}/{archive.name}", archive)
        return sha256
