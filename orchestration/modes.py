"""Who may read what we write: the one place that says so, for what comes and what is there.

The warehouse is for its owner, unless `SEAMLINE_WAREHOUSE_READERS` says more; landing, Dagster's
folder and what dbt writes of its own are for their owner alone.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landed.settings import ROOT
from orchestration.settings import Readers, Settings
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.data_places import place_at

PRIVATE = 0o077

_UMASKS: dict[Readers, int] = {"owner": PRIVATE, "group": 0o027, "everybody": 0o022}
_OURS = {"writer.lock", "writer-turn.lock", "marts.lock", "rebuilding", "models_behind"}
_DBT_LOG = "dbt.log"


def begin(settings: Settings) -> None:
    """Have what this process and those it starts make from now on be read by nobody else."""
    os.umask(_UMASKS[settings.warehouse_readers])


@contextmanager
def begun(settings: Settings) -> Iterator[None]:
    """The same for the length of a `with` block, for who uses us as a library."""
    before = os.umask(_UMASKS[settings.warehouse_readers])
    try:
        yield
    finally:
        os.umask(before)


def narrow(settings: Settings) -> None:
    """Give what is there the modes that it would get now; earlier versions left more open.

    What is another user's stays as it is, and so does a folder that is not for us alone.
    """
    mask = _UMASKS[settings.warehouse_readers]
    for path in _of_the_warehouse(settings):
        _set(path, mask)
    for folder in (settings.landing, settings.dagster_home):
        if not _is_for_more(folder):
            _set(folder, PRIVATE)
    narrow_dbts(ROOT / "dbt_project" / "logs", ROOT / "dbt_project")
    for path in (*_calls(settings.landing), *_below(settings.dagster_home)):
        _set(path, PRIVATE)


def narrow_dbts(logs: Path, project: Path) -> None:
    """Do so with what dbt has written beside a project of ours, or to where it was told to.

    Args:
        logs: the folder of its logs.
        project: that of the project.
    """
    entries = list(logs.iterdir()) if logs.is_dir() else []
    files = [one for one in entries if one.name.startswith(_DBT_LOG)]
    if len(files) == len(entries) and not _is_for_more(logs):
        _set(logs, PRIVATE)
    for path in [*files, project / "target", *_below(project / "target")]:
        _set(path, PRIVATE)


def _of_the_warehouse(settings: Settings) -> Iterator[Path]:
    ours = set(place_at(settings.data_address).folders)
    for folder in catalog_of(settings).folders:
        catalog = settings.catalog.name
        entries = list(folder.iterdir()) if folder.is_dir() else []
        ours |= {one for one in entries if one.name.startswith(catalog) or one.name in _OURS}
        if all(one in ours for one in entries) and not _is_for_more(folder):
            yield folder
    for top in ours:
        if not _is_for_more(top):
            yield top
            yield from _below(top)


def _calls(landing: Path) -> list[Path]:
    """The folders of the calls; the receiver has never left a file in them open."""
    entries = list(landing.iterdir()) if landing.is_dir() and not _is_for_more(landing) else []
    return [one for one in entries if one.is_dir()]


def _below(folder: Path) -> Iterable[Path]:
    if _is_for_more(folder):
        return
    for above, folders, files in os.walk(folder):
        yield from (Path(above, name) for name in (*folders, *files))


def _is_for_more(folder: Path) -> bool:
    """Whether it is a place for other things as well: a home, /tmp, what the repository is in."""
    try:
        is_sticky = bool(folder.stat().st_mode & stat.S_ISVTX)
    except OSError:
        return False  # not there, or not for us to look at
    place = folder.resolve()
    return is_sticky or place in (Path.home(), ROOT) or place in ROOT.parents


def _set(path: Path, mask: int) -> None:
    """Let others read and enter what its owner may, as far as the mask leaves it; never write."""
    with suppress(FileNotFoundError, PermissionError):  # gone meanwhile, or another user's
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return
        owners = mode & 0o700
        shared = (owners >> 3 | owners >> 6) & 0o055 & ~mask
        wanted = mode & 0o7000 | owners | shared
        if wanted != stat.S_IMODE(mode):
            path.chmod(wanted)
