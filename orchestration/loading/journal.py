"""The journal of loads in `landing/loads/`: which load took which file, and when.

It says beside the files what the ledger says in the warehouse, so that a warehouse that is lost is
made again row for row (orchestration/recovery/restore.py). It is written after the load's commit
and before its files move; what a death in between leaves out is added by the next load, from the
ledger.
"""

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec

from landed.folders import CALLS
from orchestration.durable_files import make_folder, sync_folder, write_whole
from orchestration.loading.insert import IS_RETRY

FOLDER = "loads"

LOADS_PER_FILE = 1_000


class MovedLines(msgspec.Struct, array_like=True):
    """Rejected lines of a file that became events of a call later."""

    call: str
    file: str
    lines: list[int]


class JournaledLoad(msgspec.Struct, omit_defaults=True):
    """A line of the journal."""

    load_id: int
    loaded_at: datetime
    """In UTC."""
    files: dict[str, str] = {}
    """`<call>/<name>` → SHA-256 of the file."""
    moved: list[MovedLines] = []
    """What was rejected before, if this was no load of files but another try at those."""


_decode = msgspec.json.Decoder(JournaledLoad).decode


def last_load(landing: Path) -> int:
    """The number of the last load in the journal; 0 if there is none."""
    for path in reversed(_files(landing)):
        for line in reversed(_whole_lines(path)):
            return _decode(line).load_id
    return 0


def journaled(landing: Path) -> Iterator[list[JournaledLoad]]:
    """All loads of the journal, oldest first, one file of it at a time."""
    for path in _files(landing):
        if lines := _whole_lines(path):
            yield [_decode(line) for line in lines]


def catch_up(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Write down, synced, every load of the ledger that the journal lacks."""
    missing = list(_from_ledger(con, last_load(landing)))
    by_file: dict[Path, list[JournaledLoad]] = {}
    for load in missing:
        first = (load.load_id - 1) // LOADS_PER_FILE * LOADS_PER_FILE + 1
        by_file.setdefault(landing / FOLDER / f"{first:012d}.ndjson", []).append(load)
    for path, loads in by_file.items():
        _append(path, loads)


def replace_checksums(landing: Path, checksums: dict[str, str]) -> None:
    """Write the journal's files anew in which some landed files are mentioned.

    Args:
        landing: The landing folder.
        checksums: `<call>/<name>` → its new SHA-256.
    """
    for path in _files(landing):
        loads = [_decode(line) for line in _whole_lines(path)]
        if not any(checksums.keys() & load.files.keys() for load in loads):
            continue
        for load in loads:
            load.files = {file: checksums.get(file, sha) for file, sha in load.files.items()}
        write_whole(path, _lines(loads))


def _files(landing: Path) -> list[Path]:
    return sorted((landing / FOLDER).glob("*.ndjson"))


def _whole_lines(path: Path) -> list[bytes]:
    """Lines that end; a death while writing leaves half of one."""
    return path.read_bytes().split(b"\n")[:-1]


def _from_ledger(con: duckdb.DuckDBPyConnection, after: int) -> Iterator[JournaledLoad]:
    rows = con.execute(
        f"""
        select load_id, loaded_at, call, file, sha256, {IS_RETRY}
        from raw.landed_file where load_id > $1
        order by load_id, call, file
        """,  # noqa: S608 - our own words
        [after],
    ).fetchall()
    loads: dict[int, JournaledLoad] = {}
    for load_id, loaded_at, call, file, sha256, is_retry in rows:
        load = loads.setdefault(load_id, JournaledLoad(load_id, loaded_at.replace(tzinfo=UTC)))
        if is_retry:
            load.moved += _moved(con, load_id, file)
        else:
            load.files[f"{call}/{file}"] = sha256
    yield from loads.values()


def _moved(con: duckdb.DuckDBPyConnection, load_id: int, file: str) -> Iterator[MovedLines]:
    for call in CALLS:
        rows = con.execute(
            f'select line from raw."{call}" where load_id = $1 and file = $2 order by line',  # noqa: S608
            [load_id, file],
        ).fetchall()
        if rows:
            yield MovedLines(call, file, [line for (line,) in rows])


def _append(path: Path, loads: Iterable[JournaledLoad]) -> None:
    make_folder(path.parent)
    is_new = not path.exists()
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as journal:  # noqa: PTH123
        whole = sum(len(line) + 1 for line in ([] if is_new else _whole_lines(path)))
        journal.truncate(whole)
        journal.seek(whole)
        journal.write(_lines(loads))
        journal.flush()
        os.fsync(journal.fileno())
    if is_new:
        sync_folder(path.parent)


def _lines(loads: Iterable[JournaledLoad]) -> bytes:
    return b"".join(msgspec.json.encode(load) + b"\n" for load in loads)
