"""Places: from what the user names to the files that are there."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from landed.buckets import in_one_line, parts_of
from receiver.importing.errors import FileError
from receiver.importing.origins import LocalFile, Origin, StoredObject

_KINDS = (".ndjson", ".jsonl", ".json", ".log")
_RETRIES = 5
_SEGMENTS_ARCHIVE = re.compile(r"(?:^|/)segment-logs/([^/]+)/[0-9]+/[^/]+$")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


class Found(NamedTuple):
    """What is at a place.

    Attributes:
        files: those to import, in the order of their addresses.
        others: how many were left out because their names say that they hold something else.
        links: those that lead out of the place, or nowhere, each with why it is not followed.
    """

    files: list[Origin]
    others: int = 0
    links: tuple[tuple[Path, FileError], ...] = ()


def find(place: str) -> Found:
    """Find the files at a place.

    Args:
        place: a file, a folder, a pattern, or an address in an object store: of an object or of
            all that are below it. A file that is named itself is taken whatever its name is.

    Raises:
        FileError: there are none, or they cannot be listed.
    """
    try:
        found = _find_stored(place) if "://" in place else _find_local(place)
    except (BaseError, OSError, ValueError) as error:
        raise FileError(f"cannot be listed: {in_one_line(error)}") from error
    if not found.files and not found.links:
        left_out = f"; {found.others} of another kind were left out" if found.others else ""
        raise FileError(f"holds no file of events ({', '.join(_KINDS)}, .gz){left_out}")
    return found


def source_name(address: str) -> str:
    """Return the name that the events of a file get: Segment's archive says whose they are."""
    archived = _SEGMENTS_ARCHIVE.search(address)
    if not archived:
        return "import"
    return f"import-{_NOT_IN_A_NAME.sub('_', archived[1])}"[:63]


def _find_local(place: str) -> Found:
    path = Path(place).expanduser()
    if path.is_dir():
        return _below([path], path)
    if path.exists():
        return Found(_looked_at([path]))
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones too
    if not matches:
        raise FileError("is not there")
    top = _without_pattern(path)
    below = _below([Path(match) for match in matches if Path(match).is_dir()], top)
    files, links = _apart([Path(match) for match in matches if not Path(match).is_dir()], top)
    return Found(_looked_at(files) + below.files, below.others, (*links, *below.links))


def _without_pattern(path: Path) -> Path:
    """The folder in which all that a pattern matches is, but for links."""
    fixed = list(takewhile(lambda part: not glob.has_magic(part), path.parts))
    return Path(*fixed)


def _below(folders: Iterable[Path], top: Path) -> Found:
    """What is in some folders; links lead to what is below the top one, and nowhere else."""
    inside, links = _apart([file for folder in folders for file in _walk(folder)], top)
    files = [path for path in inside if not path.is_dir()]
    ours = [path for path in files if _is_of_our_kind(path.name)]
    return Found(_looked_at(ours), len(files) - len(ours), tuple(links))


def _walk(folder: Path) -> Iterator[Path]:
    """The files below a folder, and the links to folders, which are not entered."""
    if folder.is_symlink():
        yield folder  # of a pattern's: those that are named are not walked as links
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))
        yield from (path for name in folders if (path := Path(parent, name)).is_symlink())


def _apart(paths: list[Path], top: Path) -> tuple[list[Path], list[tuple[Path, FileError]]]:
    """Those that are really below a folder, and those that are not."""
    real = top.resolve()
    inside, links = [], []
    for path in paths:
        if _leads_below(path, real):
            inside.append(path)
        else:
            reason = f"is a link that leads out of {top}, or nowhere: it is not followed"
            links.append((path, FileError(reason)))
    return inside, links


def _leads_below(path: Path, real: Path) -> bool:
    try:
        return path.resolve(strict=True).is_relative_to(real)
    except (OSError, RuntimeError):  # nowhere, or round and round
        return not path.is_symlink()


def _raise(error: OSError) -> None:
    raise error


def _looked_at(paths: Iterable[Path]) -> list[Origin]:
    files: list[Origin] = []
    for path in paths:
        if not path.is_file():
            raise FileError(f"is no regular file: {path}")
        files.append(LocalFile(path))
    return files


def _find_stored(place: str) -> Found:
    try:
        bucket, path = parts_of(place)
    except ValueError as error:
        raise FileError(str(error)) from error
    store = from_url(bucket, retry_config={"max_retries": _RETRIES})
    return _the_object(store, bucket, path) or _all_below(store, bucket, path)


def _the_object(store: ObjectStore, bucket: str, path: str) -> Found | None:
    if not path:
        return None
    try:
        return Found([StoredObject(store, bucket, obstore.head(store, path))])
    except FileNotFoundError:
        return None


def _all_below(store: ObjectStore, bucket: str, path: str) -> Found:
    every = [one for page in obstore.list(store, prefix=path or None) for one in page]
    ours = sorted(
        (one for one in every if _is_of_our_kind(one["path"])), key=lambda one: one["path"]
    )
    return Found([StoredObject(store, bucket, one) for one in ours], len(every) - len(ours))


def _is_of_our_kind(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(".gz") or lower.endswith(_KINDS)
