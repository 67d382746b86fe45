"""The replica: what was loaded is kept in the store, in the same folders as here.

Journal, archives, loaded files, who is suppressed. What was written anew here, as by an erasure, is
put there anew. What went here goes there only where something here says that it had to: its archive
has it, or names it as expired. So nothing that is lost here is lost there.
"""

import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path

from landed.folders import FOLDERS, NOT_STORED, SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from landed.object_store import CONFLICTS
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
from orchestration.remote.settle import AT_ONCE, keep

log = logging.getLogger(__name__)

FOLDERS_OF_IT = (SUPPRESSED, NOT_STORED, LOADED, journal.FOLDER, ARCHIVE)
"""The folders of the replica, in the order in which they are put: an archive is there once the
journal is that names its files, and what a loaded file's journal lacks is loaded again."""


_GATED = (ARCHIVE, LOADED)
"""Folders whose files are written by renaming alone: as long as they rest, so do their files."""

_RESTING_SECONDS = 2.0
"""So long ago a folder has to have changed: file systems count time in steps."""

Rested = dict[str, tuple[int, ...]]
"""Folder of the replica → when those below it had changed last, as it was brought up to date."""


def replicate(ex: Exchange, rested: Rested | None = None, seconds: float = inf) -> int:
    """Bring the replica up to date.

    Args:
        ex: What with.
        rested: What an earlier call has left in it, of this process: what has rested since then is
            not looked through again.
        seconds: After so long no other file is begun, and the rest is left to the next call: the
            first one may have years of archives to put.

    Returns:
        How many files were put.

    Raises:
        StoreError: the store does not answer; what was put is there.
        OSError: some file cannot be read here; all others are there.
    """
    rested = {} if rested is None else rested
    ends = time.monotonic() + seconds
    put = _keep_conflicts(ex)
    looked_at = []
    unreadable: list[OSError] = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for folder in FOLDERS_OF_IT:
            changed = _changed(ex.landing, folder)
            if folder in _GATED and rested.get(folder) == changed:
                continue
            known = ex.known.below(folder)
            here, due = _compared(ex.landing, folder, known)
            for start in range(0, len(due), AT_ONCE):
                if time.monotonic() > ends:
                    ex.known.note_kept()  # it goes on: the first time it may take days
                    return put
                if folder == journal.FOLDER:
                    ex.be_its_loader()
                for said in threads.map(partial(_keep, ex), due[start : start + AT_ONCE]):
                    put += said is None
                    unreadable += [said] if said else []
            looked_at.append((folder, changed, known.keys() - here))
    if unreadable:
        raise unreadable[0]
    for folder, changed, gone in looked_at:
        _drop(ex, folder, gone)
        if max(changed, default=0) < (time.time() - _RESTING_SECONDS) * 1e9:
            rested[folder] = changed
    ex.known.note_kept()
    return put


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


def _keep(ex: Exchange, one: tuple[str, Path]) -> OSError | None:
    """Put a file; return why it cannot be read, if it cannot: all others go."""
    try:
        keep(ex, *one)
    except FileNotFoundError:  # likewise
        return None
    except OSError as error:
        return error
    return None


def _keep_conflicts(ex: Exchange) -> int:
    """Keep what was put aside as it is here."""
    put = 0
    for key in ex.known.below(CONFLICTS):
        path = local_path(ex.landing, key)
        try:
            put += keep(ex, key, path)
        except FileNotFoundError:  # somebody has decided what it is
            ex.store.delete([key])
            ex.known.forget([key])
    return put


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


def _drop(ex: Exchange, folder: str, gone: set[str]) -> None:
    """Remove there what went here, where that had to be."""
    if not gone:
        return
    if folder == LOADED:
        packed = _packed(ex, gone)
        gone = packed | _expired(ex, folder, gone - packed)
    elif folder == ARCHIVE:
        gone = _expired(ex, folder, gone)
    elif folder == SUPPRESSED:
        gone -= {f"{SUPPRESSED}/{SUPPRESSED_KEY}", f"{SUPPRESSED}/{SUPPRESSED_LIST}"}
    else:
        return
    if gone:
        ex.be_its_loader()
    ex.store.delete(sorted(gone))
    ex.known.forget(gone)


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
