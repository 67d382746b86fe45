"""Archives: the loaded files of an hour and a call as one compressed file.

`landing/archive/<call>/<YYYYMMDDTHH>.tar.zst` holds the files as they were, under their names; a
second archive of the same hour, of files that were loaded late, is `<YYYYMMDDTHH>-2.tar.zst`. It
is written aside, read back against the ledger's checksums, synced and named, and only then do the
files go, so that a death at any point leaves each file in `loaded/`, in an archive, or in both.

What went because of its age is noted beside the archives of its hour, in
`<YYYYMMDDTHH>.expired.ndjson`: a note is written once, and read where its hour is asked for.
"""

import hashlib
import io
import logging
import tarfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import msgspec
import zstandard

from landed.errors import ReportedError
from landed.folders import FOLDERS
from orchestration.durable_files import make_folder, sync_file, sync_folder, write_whole

log = logging.getLogger(__name__)

FOLDER = "archive"
LOADED = "loaded"
SUFFIX = ".tar.zst"
EXPIRED = ".expired.ndjson"

EARLIER_EXPIRED = "expired.ndjson"
"""In the folder of all archives: what went under earlier versions. Nothing is added to it."""

LEVEL = 6
_HOUR = len("20261122T05")


class DamagedArchiveError(ReportedError):
    """An archive that cannot be read to its end; the text names it."""


class ExpiredArchive(msgspec.Struct):
    """A line of a note: an archive that went because of its age."""

    archive: str
    files: list[str]
    expired_at: datetime


def hour_of(name: str) -> str:
    """The hour a landed file was begun in, as archives are named: `20261122T05`."""
    return name[:_HOUR]


def archives(landing: Path, call: str) -> list[Path]:
    """The archives of a call, oldest first."""
    return sorted((landing / FOLDER / call).glob(f"*{SUFFIX}"))


def archives_of_hour(landing: Path, call: str, hour: str) -> list[Path]:
    """The archives in which a file of an hour may be."""
    return sorted((landing / FOLDER / call).glob(f"{hour}*{SUFFIX}"))


def read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files in an archive, one at a time: name and bytes.

    Raises:
        DamagedArchiveError: it ends early or is damaged; what came before is what was whole.
    """
    try:
        with (
            path.open("rb") as compressed,
            zstandard.ZstdDecompressor().stream_reader(compressed) as stream,
            tarfile.open(fileobj=stream, mode="r|") as archive,
        ):
            for member in archive:
                found = archive.extractfile(member)
                if found is not None:
                    yield member.name, found.read()
    except (tarfile.TarError, zstandard.ZstdError, EOFError) as error:
        raise DamagedArchiveError(f"{path} is damaged: {error}") from error


def hours_to_pack(landing: Path, before: datetime) -> Iterator[tuple[str, str, list[Path]]]:
    """The loaded files of hours that have ended: call, hour, files.

    Args:
        landing: The landing folder.
        before: Hours that end later are left alone, in UTC.
    """
    limit = _last_hour(before)
    for call in FOLDERS:
        hours: dict[str, list[Path]] = {}
        for path in sorted((landing / LOADED / call).glob("*.ndjson")):
            if hour_of(path.name) <= limit:
                hours.setdefault(hour_of(path.name), []).append(path)
        for hour, paths in hours.items():
            yield call, hour, paths


def pack_hour(
    landing: Path, call: str, hour: str, paths: list[Path], known: dict[str, str]
) -> list[str]:
    """Put loaded files into an archive, unless they are in one, then remove them.

    Args:
        landing: The landing folder.
        call: Their call.
        hour: Their hour.
        paths: The files.
        known: What the ledger has of them: name → SHA-256.

    Returns:
        The names of those that are not what was loaded: they stay where they are.
    """
    checksums = {}
    for path in paths:
        with suppress(FileNotFoundError):  # taken away since it was listed
            checksums[path] = _checksum(path)
    whole = [path for path, checksum in checksums.items() if checksum == known.get(path.name)]
    folder = landing / FOLDER / call
    make_folder(folder)
    there = {
        name
        for path in archives_of_hour(landing, call, hour)
        for name, data in read_archive(path)
        if hashlib.sha256(data).hexdigest() == known.get(name)
    }
    missing = [path for path in whole if path.name not in there]
    if missing:
        target = _next_name(landing, call, hour)
        write_archive(target, ((path.name, path.read_bytes()) for path in missing), known)
    for path in whole:
        path.unlink(missing_ok=True)
    return [path.name for path in checksums if path not in whole]


def _last_hour(before: datetime) -> str:
    """The last hour that has ended before a time."""
    return f"{before - timedelta(hours=1):%Y%m%dT%H}"


def _next_name(landing: Path, call: str, hour: str) -> Path:
    taken = {path.name for path in archives_of_hour(landing, call, hour)}
    number = 1
    while (name := f"{hour}{f'-{number}' if number > 1 else ''}{SUFFIX}") in taken:
        number += 1
    return landing / FOLDER / call / name


def write_archive(
    target: Path, files: Iterable[tuple[str, bytes]], checksums: dict[str, str]
) -> None:
    """Write an archive whole, proved and synced, in the place of one that may be there.

    Args:
        target: The archive's path.
        files: Names and bytes.
        checksums: Name → SHA-256 that is to be read back from it.

    Raises:
        DamagedArchiveError: what was written is not what is read.
    """
    written = target.with_name(f".{target.name}.new")
    names = []
    with (
        written.open("wb") as compressed,
        zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).stream_writer(
            compressed, closefd=False
        ) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            member.mode = 0o600
            archive.addfile(member, io.BytesIO(data))
            names.append(name)
    written.chmod(0o600)
    sync_file(written)
    found = {name: hashlib.sha256(data).hexdigest() for name, data in read_archive(written)}
    if found != {name: checksums[name] for name in names}:
        raise DamagedArchiveError(f"{written} does not read back as what was packed; it is kept.")
    written.rename(target)
    sync_folder(target.parent)


def archives_to_expire(landing: Path, before: datetime) -> list[tuple[str, Path]]:
    """The archives of hours that ended before a time, each with its call."""
    limit = _last_hour(before)
    return [
        (call, path)
        for call in FOLDERS
        for path in archives(landing, call)
        if hour_of(path.name) <= limit
    ]


def expire(
    landing: Path, call: str, path: Path, loaded_of: Callable[[str, str], Collection[str]]
) -> None:
    """Remove an archive, after noting what was in it.

    Args:
        landing: The landing folder.
        call: Its call.
        path: The archive.
        loaded_of: The files that were loaded of a call and an hour. It is asked if the archive
            cannot be read: what of them is not in `loaded/` counts as having been in it.
    """
    names: set[str] = set()
    try:
        names.update(name for name, _ in read_archive(path))
    except FileNotFoundError:
        return  # somebody has removed it since it was listed
    except DamagedArchiveError as damage:
        log.error("%s. It has expired, and goes all the same.", damage)  # noqa: TRY400
        there = {one.name for one in (landing / LOADED / call).glob("*.ndjson")}
        names.update(set(loaded_of(call, hour_of(path.name))) - there)
    _note(landing, ExpiredArchive(f"{call}/{path.name}", sorted(names), datetime.now(UTC)))
    path.unlink(missing_ok=True)


class Expired:
    """What went because of its age: archives and the files in them."""

    def __init__(self, landing: Path) -> None:
        """Read nothing yet."""
        self._landing = landing

    def among(self, names: Iterable[str]) -> set[str]:
        """Those that went, of some archives and files: `<call>/<name>` of each."""
        wanted = set(names)
        hours = {(call, hour_of(name)) for call, _, name in (one.partition("/") for one in wanted)}
        found: set[str] = set()
        for call, hour in hours:
            found |= wanted.intersection(_noted(_note_of(self._landing, call, hour)))
        return found if found == wanted else found | (wanted & self._earlier)

    @cached_property
    def _earlier(self) -> set[str]:
        return set(_noted(self._landing / FOLDER / EARLIER_EXPIRED))


def _note_of(landing: Path, call: str, hour: str) -> Path:
    return landing / FOLDER / call / f"{hour}{EXPIRED}"


def _noted(note: Path) -> Iterator[str]:
    """The archives and files that a note names."""
    for entry in _entries(note):
        yield entry.archive
        yield from (f"{entry.archive.partition('/')[0]}/{name}" for name in entry.files)


def _entries(note: Path) -> list[ExpiredArchive]:
    lines = note.read_bytes().splitlines() if note.exists() else []
    return [msgspec.json.decode(line, type=ExpiredArchive) for line in lines]


def _note(landing: Path, entry: ExpiredArchive) -> None:
    """Note what goes, unless a death came between that and its going."""
    call, _, name = entry.archive.partition("/")
    note = _note_of(landing, call, hour_of(name))
    entries = _entries(note)
    names = set(entry.files)
    if not any(one.archive == entry.archive and names.issubset(one.files) for one in entries):
        lines = [msgspec.json.encode(one) + b"\n" for one in [*entries, entry]]
        write_whole(note, b"".join(lines))


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
