"""Settling: once a load has taken a fetched file, what came of it is kept there, and waits no more.

The kept object is there before the one that waited goes, so that a death in between leaves both,
and the next pass does the rest. It is put from here and not copied there: what has been taken out
of the file meanwhile, as its people are suppressed or erased, does not come back.
"""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from landed.object_store import CONFLICTS, WAITING
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import (
    LOADED,
    DamagedArchiveError,
    archives_of_hour,
    hour_of,
    read_archive,
)
from orchestration.remote.exchange import Exchange
from orchestration.remote.fetch import local_path, name_what_arrived
from orchestration.remote.known import FileState, Known

log = logging.getLogger(__name__)

REMEMBERED_SECONDS = 30 * 86_400.0
"""For so long it is known what was shipped: who shipped it may come back and do it again."""


def settle(ex: Exchange) -> int:
    """Settle every object whose file a load has taken.

    Returns:
        How many were.

    Raises:
        StoreError: the store does not answer; what was settled is so.
        OSError, DamagedArchiveError: some file cannot be read here; all others are settled.
    """
    name_what_arrived(ex)
    settled = 0
    unreadable: list[OSError | DamagedArchiveError] = []
    for key, known in ex.known.below(WAITING).items():
        if not known.is_settled:
            try:
                settled += _settle(ex, key, known)
            except (OSError, DamagedArchiveError) as error:  # all others are settled
                unreadable.append(error)
    if unreadable:
        raise unreadable[0]
    ex.known.forget_settled(time.time() - REMEMBERED_SECONDS)
    return settled


def _settle(ex: Exchange, key: str, known: Known) -> bool:
    path = local_path(ex.landing, key)
    if path.exists():
        with suppress(FileNotFoundError):  # loaded just now: it is settled next time
            _put_if_changed(ex, key, path, known)
        return False
    call, name = path.parent.name, path.name
    aside = path.with_suffix(".ndjson.conflict")
    if _is_still(aside, known):
        keep(ex, f"{CONFLICTS}/{call}/{name}", aside)
    elif not (
        _kept(ex, f"{LOADED}/{call}/{name}", ex.landing / LOADED / call / name)
        or _kept_in_archive(ex, call, name)
    ):
        if not path.exists():
            log.error("%s was taken away before it was loaded: it is fetched again.", path)
            ex.known.forget([key])
        return False
    ex.store.delete([key])
    ex.known.settle([key])
    return True


def _is_still(path: Path, known: Known) -> bool:
    """Whether a file is the one that was fetched, under another name."""
    return path.exists() and FileState.of(path.stat()) == known.state


def _put_if_changed(ex: Exchange, key: str, path: Path, known: Known) -> None:
    """Put a file again from which lines were taken while it waits here."""
    with path.open("rb") as file:
        state = state_of(file.fileno())
        if state != known.state:
            ex.store.put(key, file, was=known.sha256)
            ex.known.add([(key, known.sha256, state)])


def _kept(ex: Exchange, key: str, path: Path) -> bool:
    """Put a file there unless it is; whether there is such a file."""
    try:
        keep(ex, key, path)
    except FileNotFoundError:
        return False
    return True


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
        ex.known.add([(key, ex.store.put(key, file), state)])
        return True


def state_of(descriptor: int) -> FileState:
    """The state of an open file."""
    return FileState.of(os.fstat(descriptor))


def _kept_in_archive(ex: Exchange, call: str, name: str) -> bool:
    """Whether a file was packed since it was loaded, in an archive that is kept there then."""
    for archive in archives_of_hour(ex.landing, call, hour_of(name)):
        if any(one == name for one, _ in read_archive(archive)):
            keep(ex, f"{ARCHIVE}/{call}/{archive.name}", archive)
            return True
    return False
