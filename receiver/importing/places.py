"""Places: from what the user names to the files that are there."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from receiver.importing.errors import FileError
from receiver.importing.origins import LocalFile, Origin, StoredObject, in_one_line

_STORES = ("s3", "gs", "az")
_KINDS = (".ndjson", ".jsonl", ".json", ".log")
_RETRIES = 5
_SEGMENTS_ARCHIVE = re.compile(r"(?:^|/)segment-logs/([^/]+)/[0-9]+/[^/]+$")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


class Found(NamedTuple):
    """What is at a place.

    Attributes:
        files: those to import, in the order of their addresses.
        others: how many were left out because their names say that they hold something else.
    """

    files: list[Origin]
    others: int = 0


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
    if not found.files:
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
        return _of_our_kinds(_walk(path))
    if path.exists():
        return Found(_looked_at([path]))
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute ones too
    if not matches:
        raise FileError("is not there")
    folders = [Path(match) for match in matches if Path(match).is_dir()]
    below = _of_our_kinds(file for folder in folders for file in _walk(folder))
    files = [Path(match) for match in matches if not Path(match).is_dir()]
    return Found(_looked_at(files) + below.files, below.others)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def _raise(error: OSError) -> None:
    raise error


def _of_our_kinds(paths: Iterable[Path]) -> Found:
    every = list(paths)
    ours = [path for path in every if _is_of_our_kind(path.name)]
    return Found(_looked_at(ours), len(every) - len(ours))


def _looked_at(paths: Iterable[Path]) -> list[Origin]:
    files: list[Origin] = []
    for path in paths:
        if not path.is_file():
            raise FileError(f"is no regular file: {path}")
        files.append(LocalFile(path))
    return files


def _find_stored(place: str) -> Found:
    parts = urlsplit(place)
    if parts.scheme not in _STORES or not parts.netloc or "@" in parts.netloc:
        raise FileError("is no address of an object store: s3://, gs:// or az://, then its bucket")
    bucket = f"{parts.scheme}://{parts.netloc}"
    path = place.removeprefix(bucket).strip("/")
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
