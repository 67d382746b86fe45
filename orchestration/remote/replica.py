"""The replica: what was loaded is kept in the store, in the same folders as here.

Journal, archives, loaded files, who is suppressed. What was written anew here, as by an erasure, is
put there anew. What went here goes there only where something here says that it had to: its archive
has it, or names it as expired. So nothing that is lost here is lost there.
"""

import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path

from landed.folders import FOLDERS, NOT_STORED, SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from landed.object_store import CONFLICTS, StoreError
from orchestration.loading import journal
from orchestration.loading.archive import (
    EARLIER_EXPIRED,
    EXPIRED,
    LOADED,
    SUFFIX,
    DamagedArchiveError,
    Expired,
    hour_of,
    read_archive,
)
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.remote.exchange import Exchange
from orchestration.remote.fetch import local_path
from orchestration.remote.known import FileState, Known
from orchestration.remote.settle import AT_ONCE, Problem, keep, takes_nothing

log = logging.getLogger(__name__)

FOLDERS_OF_IT = (SUPPRESSED, NOT_STORED, LOADED, journal.FOLDER, ARCHIVE)
"""The folders of the replica, in the order in which they are put: an archive is there once the
journal is that names its files, and what a loaded file's journal lacks is loaded again."""


_GATED = (ARCHIVE, LOADED)
"""Folders whose files are written by renaming alone: as long as they rest, so do their files."""

_CALLS = "|".join(FOLDERS)
_LISTED = {
    CONFLICTS: re.compile(rf"{CONFLICTS}/({_CALLS})/[^/.][^/]*\.ndjson"),
    LOADED: re.compile(rf"{LOADED}/({_CALLS})/[^/.][^/]*\.ndjson"),
    ARCHIVE: re.compile(rf"{ARCHIVE}/({_CALLS})/[^/.][^/]*{re.escape(SUFFIX)}"),
}
"""Folders there whose objects go in time, or are written anew; and what is ours in them."""

_RESTING_SECONDS = 2.0
"""So long ago a folder has to have changed: file systems count time in steps."""

Rested = dict[str, tuple[int, ...]]
"""Folder of the replica → when those below it had changed last, as it was brought up to date."""


def replicate(
    ex: Exchange,
    rested: Rested | None = None,
    seconds: float = inf,
    *,
    lists_store: bool = False,
) -> list[str]:
    """Bring the replica up to date.

    Args:
        ex: What with.
        rested: What an earlier call has left in it, of this process: what has rested since then is
            not looked through again.
        seconds: After so long no other file is begun, and the rest is left to the next call: the
            first one may have years of archives to put.
        lists_store: Whether the store is asked what it has, and not only once what is known of it
            was lost: nothing that may be there is to be missed.

    Returns:
        Objects there of loaded files, packed or put aside ones too, of which none is here, and
        nothing says why.

    Raises:
        StoreError: the store does not take some file, or none; what was put is there.
        OSError: some file cannot be read here; all others are there.
    """
    rested = {} if rested is None else rested
    _know_what_is_there(ex, rested, lists_store=lists_store)
    putting = _Putting(ex, time.monotonic() + seconds)
    putting.conflicts()
    looked_at = []
    lost = putting.lost
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for folder in FOLDERS_OF_IT:
            changed = _changed(ex.landing, folder)
            if folder in _GATED and rested.get(folder) == changed:
                continue
            known = ex.known.below(folder)
            here, due = _compared(ex.landing, folder, known)
            is_whole = putting.folder(threads, folder, due)
            looked_at.append((folder, changed, known.keys() - here, is_whole))
            if putting.is_late or (folder == journal.FOLDER and not is_whole):
                break
    if not putting.is_late:
        for folder, changed, gone, is_whole in looked_at:
            if is_whole:
                lost += sorted(_drop(ex, folder, gone))
            is_young = max(changed, default=0) >= (time.time() - _RESTING_SECONDS) * 1e9
            if not putting.problems and not is_young:
                rested[folder] = changed
    if putting.problems:
        raise putting.problems[0]
    return lost


class _Putting:
    """Puts files, and goes on with the others where one cannot be."""

    def __init__(self, ex: Exchange, ends: float) -> None:
        self._ex = ex
        self._ends = ends
        self.is_late = False
        """Whether there was no time for all."""
        self.problems: list[Problem] = []
        self.lost: list[str] = []
        """Objects that were put aside and are not here, and nobody has decided that."""

    def conflicts(self) -> None:
        """Put what was put aside as it is here."""
        for key, known in self._ex.known.below(CONFLICTS).items():
            try:
                if not _keep_conflict(self._ex, key, known):
                    self.lost.append(key)
            except (OSError, StoreError) as problem:
                self.problems.append(problem)

    def folder(self, threads: Executor, folder: str, due: list[tuple[str, Path]]) -> bool:
        """Put files of a folder; return whether all of them are there."""
        before = len(self.problems)
        for start in range(0, len(due), AT_ONCE):
            self.is_late = time.monotonic() > self._ends
            if self.is_late:
                break
            if folder == journal.FOLDER:
                self._ex.be_its_loader()
            some = due[start : start + AT_ONCE]
            self._ex.known.foresee(key for key, _ in some)  # one transaction: each is synced
            said = list(threads.map(partial(_keep, self._ex), some))
            self.problems += [problem for problem in said if problem]
            if takes_nothing(said):
                break
        return not self.is_late and len(self.problems) == before


def _know_what_is_there(ex: Exchange, rested: Rested, *, lists_store: bool) -> None:
    """List the objects of which something could be left there, if that is not known or asked."""
    if lists_store or not ex.known.is_listed():
        there = [
            (ours, one.key) for folder, ours in _LISTED.items() for one in ex.store.list(folder)
        ]
        ex.known.note_listed(key for ours, key in there if ours.fullmatch(key))
        rested.clear()


def _compared(
    landing: Path, folder: str, known: dict[str, Known]
) -> tuple[set[str], list[tuple[str, Path]]]:
    """The objects whose files are here, and which of them have to be put, with the file."""
    here = set()
    due = []
    for path in files_of(landing, folder):
        key = str(path.relative_to(landing))
        with suppress(FileNotFoundError):  # packed, or written anew, since it was listed
            if not _is_as_known(path, known.get(key)):
                due.append((key, path))
            here.add(key)
    return here, due


def _keep(ex: Exchange, one: tuple[str, Path]) -> Problem | None:
    """Put a file; return why that cannot be, if it cannot: all others go."""
    try:
        keep(ex, *one)
    except FileNotFoundError:  # packed, or written anew, since it was listed
        return None
    except (OSError, StoreError) as error:
        return error
    return None


def _keep_conflict(ex: Exchange, key: str, known: Known) -> bool:
    """Put what was put aside as it is here, or remove it there, if somebody has decided so.

    Returns:
        Whether it could be either.
    """
    try:
        keep(ex, key, local_path(ex.landing, key))
    except FileNotFoundError:
        if not known.sha256:  # nobody knows that it was here
            return False
        ex.store.delete([key])
        ex.known.forget([key])
    return True


def _changed(landing: Path, folder: str) -> tuple[int, ...]:
    """When a folder and those of the calls in it have changed last."""
    folders = [landing / folder, *(landing / folder / call for call in FOLDERS)]
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in folders)


def _is_as_known(path: Path, known: Known | None) -> bool:
    return known is not None and known.state == FileState.of(path.stat())


def files_of(landing: Path, folder: str) -> Iterator[Path]:
    """The files below a folder of the replica, as they are to be put."""
    if folder == ARCHIVE:
        yield from (landing / ARCHIVE).glob(EARLIER_EXPIRED)
    below = {
        SUPPRESSED: ["[!.]*"],  # its key before its list
        NOT_STORED: ["[!.]*.json"],  # those that receivers ship come from there
        # notes behind archives: that of one which goes meanwhile is put before it goes there
        ARCHIVE: [f"{call}/[!.]*{end}" for end in (SUFFIX, EXPIRED) for call in FOLDERS],
        LOADED: [f"{call}/[!.]*.ndjson" for call in FOLDERS],
        journal.FOLDER: ["[!.]*.ndjson"],
    }
    for pattern in below[folder]:
        yield from (path for path in sorted((landing / folder).glob(pattern)) if path.is_file())


def _drop(ex: Exchange, folder: str, gone: set[str]) -> set[str]:
    """Remove there what went here, where that had to be; return what stays of loaded files."""
    if not gone:
        return gone
    if folder == LOADED:
        packed = _packed(ex, gone)
        going = packed | _expired(ex, folder, gone - packed)
    elif folder == ARCHIVE:
        going = _expired(ex, folder, gone)
    elif folder == SUPPRESSED:
        going = gone - {f"{SUPPRESSED}/{SUPPRESSED_KEY}", f"{SUPPRESSED}/{SUPPRESSED_LIST}"}
    else:
        going = set()
    if going:
        ex.be_its_loader()
        ex.store.delete(sorted(going))
        ex.known.forget(going)
    return gone - going if folder in _GATED else set()


def _expired(ex: Exchange, folder: str, gone: set[str]) -> set[str]:
    """Those of some archives or loaded files that went because of their age."""
    names = Expired(ex.landing).among(key.removeprefix(f"{folder}/") for key in gone)
    return {f"{folder}/{name}" for name in names}


def _packed(ex: Exchange, gone: set[str]) -> set[str]:
    """Those of some loaded files that are in an archive which is kept there."""
    found = set()
    names = [key.split("/")[1:] for key in gone]
    for call, hour in {(call, hour_of(name)) for call, name in names}:
        for archive in sorted((ex.landing / ARCHIVE / call).glob(f"{hour}*{SUFFIX}")):
            key = f"{ARCHIVE}/{call}/{archive.name}"
            if _is_as_known(archive, ex.known.get(key)):
                with suppress(DamagedArchiveError):  # `seamline verify` names it
                    for packed, _ in read_archive(archive):
                        found.add(f"{LOADED}/{call}/{packed}")
    return found & gone
