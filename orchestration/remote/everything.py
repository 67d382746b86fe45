"""A loader's machine was lost: all that it had loaded comes from the store, before anything else.

`seamline fetch --all`. It begins in an empty folder, or goes on where it was stopped: until all has
come, a mark keeps every other exchange away, which would put half of it over the whole. The next
load makes the warehouse again from what has come.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple

from landed.errors import ReportedError
from landed.files import LONGEST_NAME, write_whole
from landed.folders import BRINGING, FOLDERS, NOT_STORED, REMOTE, SUPPRESSED
from landed.object_store import CONFLICTS, DamagedObjectError, Listed, Store
from orchestration.durable_files import make_folder, sync_folder
from orchestration.loading import journal
from orchestration.loading.archive import FOLDER as ARCHIVE
from orchestration.loading.archive import LOADED, DamagedArchiveError
from orchestration.remote.exchange import Exchange
from orchestration.remote.fetch import AT_ONCE, copy_here, local_path
from orchestration.remote.known import FileState
from orchestration.remote.packed import PackedFiles
from orchestration.remote.replica import files_of

_FOLDERS = (SUPPRESSED, journal.FOLDER, NOT_STORED, ARCHIVE, LOADED, CONFLICTS)

_DECIDING = (SUPPRESSED, journal.FOLDER, ARCHIVE, LOADED)
"""Folders whose files here would be put over those of the store."""


class NotEmptyError(ReportedError):
    """The landing folder has files of its own; the text says which."""


class Brought(NamedTuple):
    """What has come."""

    files: int
    waiting: int
    """Loaded files that the journal does not know: the next load loads them again."""
    damaged: list[str]
    """Objects that are not what was put, or that something else here is in the way of: why."""

    def report(self) -> Iterator[str]:
        """What has come, a line each."""
        yield f"Brought {self.files} files; `seamline load` makes the warehouse again from them"
        if self.waiting:
            yield f"{self.waiting} files are in no journal that has come: they are loaded again"
        yield from self.damaged


def begin(ex: Exchange) -> None:
    """See that nothing here would be put over what the store has, and mark that it is brought.

    Raises:
        NotEmptyError: something would.
        StoreError: the store does not answer.
    """
    here = [path for folder in _DECIDING for path in files_of(ex.landing, folder)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        are_kept = threads.map(partial(_is_in, ex.store, ex.landing), here)
        for path, is_kept in zip(here, are_kept, strict=True):
            if not is_kept:
                raise NotEmptyError(
                    f"{path} is not what {ex.store.address} has of that name. `seamline fetch "
                    f"--all` brings a lost loader's files to a machine that has none of its own: "
                    f"{ex.landing} has to be empty. Nothing was changed."
                )
    write_whole(ex.landing / BRINGING, b"")


def _is_in(store: Store, landing: Path, path: Path) -> bool:
    found = store.look(str(path.relative_to(landing)))
    with path.open("rb") as file:
        return found is not None and found.sha256 == file_digest(file, "sha256").hexdigest()


def bring_everything(ex: Exchange, progress: Callable[[int, int], None] | None = None) -> Brought:
    """Bring the whole replica here, which `begin` has begun.

    Raises:
        StoreError: the store does not answer; what has come stays.
    """
    found = _listed(ex, _FOLDERS)
    said = []
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for number, problem in enumerate(threads.map(partial(_bring, ex), found), start=1):
            said.append(problem)
            if progress:
                progress(number, len(found))
        # what the old loader was keeping, when it had not seen yet that it is the old one
        seen = {one.key for one in found}
        late = [one for one in _listed(ex, (LOADED,)) if one.key not in seen]
        said += threads.map(partial(_bring, ex), late)
    damaged = [problem for problem in said if problem]
    journaled = {
        file: checksum
        for loads in journal.journaled(ex.landing)
        for load in loads
        for file, checksum in load.files.items()
    }
    waiting = _let_wait(ex.landing, journaled)
    _leave_to_archives(ex.landing, journaled)
    (ex.landing / BRINGING).unlink()
    return Brought(len(said) - len(damaged), waiting, damaged)


def _listed(ex: Exchange, folders: tuple[str, ...]) -> list[Listed]:
    return [one for folder in folders for one in ex.store.list(folder) if _is_ours(one.key)]


def _is_ours(key: str) -> bool:
    """Whether an object's name is one that leads to a file of ours."""
    parts = key.split("/")
    return len(parts) in {2, 3} and not any(
        part.startswith(".") or not 0 < len(part.encode()) <= LONGEST_NAME for part in parts
    )


def _bring(ex: Exchange, one: Listed) -> str | None:
    """Bring an object; return why not, if it is damaged."""
    path = local_path(ex.landing, one.key)
    if path.exists():
        return _is_here(ex, one.key, path)
    aside = ex.landing / REMOTE / f"all-{sha256(one.key.encode()).hexdigest()}"
    try:
        checksum, state = copy_here(ex, one.key, aside)
    except DamagedObjectError as damage:
        return damage.message
    except FileNotFoundError:  # it has gone since it was listed
        return None
    make_folder(path.parent)
    aside.rename(path)
    sync_folder(path.parent)
    ex.known.add([(one.key, checksum, state)])
    return None


def _is_here(ex: Exchange, key: str, path: Path) -> str | None:
    """Look at what came before, or was here; return what is wrong if it is no object's copy."""
    state = FileState.of(path.stat())
    known, found = ex.known.get(key), ex.store.look(key)
    if known is None or known.state != state:
        with path.open("rb") as file:
            checksum = file_digest(file, "sha256").hexdigest()
    else:
        checksum = known.sha256
    if found is None or found.sha256 != checksum:
        return f"{path} is not what {ex.store.address}/{key} is, and stays as it is"
    ex.known.add([(key, checksum, state)])
    return None


def _leave_to_archives(landing: Path, journaled: Mapping[str, str]) -> None:
    """Remove loaded files that an archive has as the journal says: these may be older copies."""
    packed = PackedFiles(landing)
    for path in _loaded(landing):
        with suppress(DamagedArchiveError), packed.one_at_a_time:  # `seamline verify` names it
            found = packed.find(path.parent.name, path.name)
            if found and found[1] == journaled[f"{path.parent.name}/{path.name}"]:
                path.unlink()


def _let_wait(landing: Path, journaled: Collection[str]) -> int:
    """Let files wait that were loaded, and whose load the journal lacks: it had not come there."""
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
