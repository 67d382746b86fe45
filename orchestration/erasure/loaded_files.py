"""Taking the lines in `erased` out of loaded files, in `loaded/` and in archives."""

import hashlib
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import duckdb

from orchestration.durable_files import write_whole
from orchestration.errors import ErasureStoppedError
from orchestration.loading import landed_file
from orchestration.loading.archive import (
    LOADED,
    DamagedArchiveError,
    archives_of_hour,
    read_archive,
    write_archive,
)
from orchestration.loading.blanking import blank
from orchestration.loading.insert import IS_RETRY, known_checksums
from orchestration.loading.load import move_to_loaded


class ArchiveInTheWayError(ErasureStoppedError):
    """An archive that may hold a person's events is damaged; the text says what to do."""


class Bytes(NamedTuple):
    """What a landed file is now."""

    sha256: str
    size: int


def settle(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Move what is in the warehouse to where it belongs, as a load does that was not killed.

    Before anything is erased: a loaded file among the waiting ones that is not what was loaded
    would be taken for another file of that name.
    """
    waiting = list(landed_file.sealed_files(landing))
    known = known_checksums(con, [file.name for file in waiting])
    for file in waiting:
        loaded_as = known.get(file.name)
        with suppress(FileNotFoundError):  # taken away since it was listed
            if loaded_as and _bytes_of(file.path.read_bytes()).sha256 == loaded_as:
                move_to_loaded(landing, file)


def blank_loaded(con: duckdb.DuckDBPyConnection, landing: Path) -> dict[str, Bytes]:
    """Take the lines in `erased` out of loaded files, an hour of a call at a time.

    Those that are already out are no problem, and a file that is nowhere has expired.

    Returns:
        `<call>/<name>` of each file that is somewhere → what it is now.

    Raises:
        ArchiveInTheWayError: an archive of the hour cannot be read, or not be written anew.
    """
    # of the folder a file was loaded from, wherever its rows are by now
    rows = con.execute(
        f"""
        select loaded.call, left(file, 11) as hour, file, list(distinct line)
        from erased
        join (select distinct file, call from raw.landed_file where not ({IS_RETRY})) as loaded
            using (file)
        group by all order by hour, loaded.call
        """
    )
    now: dict[str, Bytes] = {}
    for (call, hour), files in groupby(iter(rows.fetchone, None), key=lambda row: row[:2]):
        lines = {name: numbers for *_, name, numbers in files}
        for name, numbers in lines.items():
            for folder in (landing / LOADED / call, landing / call):
                with suppress(FileNotFoundError):
                    now[f"{call}/{name}"] = _blank_file(folder / name, numbers)
        for archive in archives_of_hour(landing, call, hour):
            blanked = _blank_archive(archive, lines)
            now |= {f"{call}/{name}": one for name, one in blanked.items()}
    return now


def _blank_file(path: Path, numbers: list[int]) -> Bytes:
    data = path.read_bytes()
    blanked = blank(data, numbers)
    if blanked != data:
        write_whole(path, blanked)
    return _bytes_of(blanked)


def _blank_archive(archive: Path, lines: dict[str, list[int]]) -> dict[str, Bytes]:
    """Write an archive anew if it has some of these lines; return what its files are now."""
    checksums = {}
    now = {}
    is_changed = False
    try:
        for name, data in read_archive(archive):
            blanked = blank(data, lines.get(name, ()))
            is_changed |= blanked != data
            checksums[name] = _bytes_of(blanked).sha256
            if name in lines:
                now[name] = _bytes_of(blanked)
        if is_changed:
            files = read_archive(archive)
            blanked_files = ((name, blank(data, lines.get(name, ()))) for name, data in files)
            write_archive(archive, blanked_files, checksums)
    except DamagedArchiveError as damage:
        raise ArchiveInTheWayError(
            f"{damage}. It may hold events that have to go, and the erasure is not done. "
            f"Move {archive} out of the landing folder, erase it by hand, and ask for the "
            "erasure once more (docs/runbooks/erasure.md)."
        ) from damage
    return now


def _bytes_of(data: bytes) -> Bytes:
    return Bytes(hashlib.sha256(data).hexdigest(), len(data))
