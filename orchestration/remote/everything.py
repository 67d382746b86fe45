"""A loader's machine was lost: all that it had loaded comes from the store, before anything else.

`seamline fetch --all`. What is here stays, so that it can be stopped and begun again; the next load
makes the warehouse again from what has come.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from landed.files import FILE_MODE, sync_data
from landed.folders import FOLDERS, NOT_STORED, REMOTE, SUPPRESSED
from landed.object_store import CONFLICTS, DamagedObjectError, Listed
from orchestration.durable_files import make_folder, sync_folder
from orchestration.loading import journal
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import LOADED
from orchestration.remote.exchange import Exchange
from orchestration.remote.fetch import AT_ONCE, local_path
from orchestration.remote.known import FileState

_FOLDERS = (SUPPRESSED, journal.FOLDER, NOT_STORED, ARCHIVE, LOADED, CONFLICTS)


class Brought(NamedTuple):
    """What has come."""

    files: int
    waiting: int
    """Loaded files that the journal does not know: the next load loads them again."""
    damaged: list[str]
    """Objects that are not what was put, each with a reason."""

    def report(self) -> Iterator[str]:
        """What has come, a line each."""
        yield f"Brought {self.files} files; `seamline load` makes the warehouse again from them"
        if self.waiting:
            yield f"{self.waiting} files are in no journal that has come: they are loaded again"
        yield from self.damaged


def bring_everything(ex: Exchange, progress: Callable[[int, int], None] | None = None) -> Brought:
    """Bring the whole replica here.

    Raises:
        StoreError: the store does not answer; what has come stays.
    """
    found = [one for folder in _FOLDERS for one in ex.store.list(folder) if _is_ours(one.key)]
    brought = Brought(0, 0, [])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for number, problem in enumerate(threads.map(partial(_bring, ex), found), start=1):
            if problem:
                brought.damaged.append(problem)
            else:
                brought = brought._replace(files=brought.files + 1)
            if progress:
                progress(number, len(found))
    return brought._replace(waiting=_let_wait(ex.landing))


def _is_ours(key: str) -> bool:
    """Whether an object's name is one that leads to a file of ours."""
    parts = key.split("/")
    return len(parts) in {2, 3} and not any(part.startswith(".") or not part for part in parts)


def _bring(ex: Exchange, one: Listed) -> str | None:
    """Bring an object; return why not, if it is damaged."""
    path = local_path(ex.landing, one.key)
    if path.exists():
        return None
    make_folder(path.parent)
    aside = ex.landing / REMOTE / f"all-{one.key.replace('/', '-')}"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            sha256 = ex.store.get(one.key, file.write)
            file.flush()
            sync_data(file.fileno())
            state = FileState.of(os.fstat(file.fileno()))
        aside.rename(path)
        sync_folder(path.parent)
    except DamagedObjectError as damage:
        return damage.message
    except FileNotFoundError:  # it has gone since it was listed
        return None
    finally:
        aside.unlink(missing_ok=True)
    ex.known.add([(one.key, sha256, state)])
    return None


def _let_wait(landing: Path) -> int:
    """Let files wait that were loaded, and whose load the journal lacks: it had not come there."""
    journaled = {
        file for loads in journal.journaled(landing) for load in loads for file in load.files
    }
    number = 0
    for path in _loaded(landing):
        if f"{path.parent.name}/{path.name}" not in journaled:
            target = landing / path.parent.name / path.name
            make_folder(target.parent)
            path.rename(target)
            sync_folder(target.parent)
            number += 1
    return number


def _loaded(landing: Path) -> Iterator[Path]:
    for call in FOLDERS:
        yield from sorted((landing / LOADED / call).glob("*.ndjson"))
