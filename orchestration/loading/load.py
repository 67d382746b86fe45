"""One pass over the sealed files: in transactions, and each file moves when it is in."""

import hashlib
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

import duckdb

from landed.aside import put_aside
from landed.errors import ReportedError
from landed.folders import FOLDERS
from orchestration.durable_files import make_folder
from orchestration.loading import journal, landed_file, seconds
from orchestration.loading.archive import LOADED
from orchestration.loading.blanking import blank_people
from orchestration.loading.insert import highest_load, insert_files, known_checksums
from orchestration.loading.landed_file import Contents, LandedFile
from orchestration.loading.people import People
from orchestration.loading.suppressed import suppressed_people
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock

log = logging.getLogger(__name__)

MAX_FILES = 2_000
"""Files in one transaction at most, however small they are."""

File = TypeVar("File")

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are done."""

Sized = list[tuple[LandedFile, int]]
"""Files with their sizes."""

Read = Callable[[], tuple[list[Contents], float]]
"""Reads some files, or waits until they are read; the number is how many seconds that took."""


class WarehouseBehindError(ReportedError):
    """The journal has loads that the warehouse lacks: it was lost, or is an older copy."""


@dataclass
class Loaded:
    """What one pass has loaded."""

    load_ids: list[int] = field(default_factory=list)
    files: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    """Events per call."""
    rejected: int = 0
    conflicts: list[str] = field(default_factory=list)
    """Files whose name is in the ledger with other contents: put aside, not loaded."""

    def __str__(self) -> str:
        """What was loaded, in a line."""
        rows = ", ".join(f"{count} {call}" for call, count in sorted(self.rows.items()) if count)
        line = f"Loaded {self.files} files: {rows or 'no events'}"
        if self.rejected:
            line += f"; {self.rejected} rejected, see raw.rejected"
        if self.conflicts:
            line += f"; {len(self.conflicts)} put aside as *.conflict: {', '.join(self.conflicts)}"
        return line

    def add(self, portion: list[Contents], unusable: Counter[str]) -> None:
        """Count the files of one transaction."""
        self.files += len(portion)
        self.rejected += unusable.total()
        for contents in portion:
            self.rows[contents.file.call] += len(contents.lines) - unusable[contents.file.name]
            self.rejected += len(contents.rejects)


def load(
    settings: Settings,
    folders: tuple[str, ...] = FOLDERS,
    progress: Progress | None = None,
) -> Loaded:
    """Load every sealed file of some folders, then move the files to `loaded/`.

    The files go in transactions of at most `SEAMLINE_LOAD_BYTES`, each with its own `load_id`. In
    one transaction are the rows, the rejects and the ledger lines of its files, so that a death at
    any point leaves each file either loaded or waiting; a file the ledger knows is only moved.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was loaded.
        WarehouseBehindError: the warehouse lacks what it once had (`restore` first).
    """
    loaded = Loaded()
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        last = refuse_if_behind(con, settings)
        if last > journal.last_load(settings.landing):  # a death came between commit and journal
            journal.catch_up(con, settings.landing)
        suppressed = suppressed_people(settings.landing)
        waiting = list(_sized(landed_file.sealed_files(settings.landing, folders)))
        total = sum(size for _, size in waiting)
        done = 0
        cut = portions(waiting, settings.load_bytes)
        with ThreadPoolExecutor(1) as reader:
            # who is suppressed is taken out of a file before it is read
            for files, read in _with_reading(reader, cut, is_ahead=not suppressed):
                names = [file for file, _ in files]
                last = _load_portion(con, settings, names, read, loaded, suppressed, last)
                done += sum(size for _, size in files)
                if progress:
                    progress(done, total)
    return loaded


def _with_reading(
    reader: ThreadPoolExecutor, cut: Iterable[Sized], *, is_ahead: bool
) -> Iterator[tuple[Sized, Read]]:
    """Each portion with what reads it; ahead is: while the one before it is loaded."""
    waiting: deque[tuple[Sized, Read]] = deque()
    for files in cut:
        names = [file for file, _ in files]
        read = reader.submit(_read, names).result if is_ahead else partial(_read, names)
        waiting.append((files, read))
        if len(waiting) > is_ahead:
            yield waiting.popleft()
    yield from waiting


def _sized(files: Iterable[LandedFile]) -> Iterator[tuple[LandedFile, int]]:
    for file in files:
        with suppress(FileNotFoundError):  # somebody has taken it away since it was listed
            yield file, file.path.stat().st_size


def refuse_if_behind(con: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Refuse to write to a warehouse that lacks loads: their numbers would be taken.

    Returns:
        The number of its last load; the next one's is higher by one.

    Raises:
        WarehouseBehindError: it lacks some.
    """
    last = highest_load(con)
    if _is_behind(con, settings.landing, last):
        raise WarehouseBehindError(
            f"The warehouse at {settings.place} lacks loads that are in the journal "
            f"{settings.landing / journal.FOLDER}. Nothing was changed; `make load` and "
            "Dagster's runs load them again from the files."
        )
    return last


def is_behind(con: duckdb.DuckDBPyConnection, landing: Path) -> bool:
    """Whether the warehouse lacks loads that the journal has."""
    return _is_behind(con, landing, highest_load(con))


def _is_behind(con: duckdb.DuckDBPyConnection, landing: Path, last: int) -> bool:
    is_restoring = is_half_restored(con) or mark_of_earlier_versions(landing).exists()
    return is_restoring or last < journal.last_load(landing)


def is_half_restored(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether making loads again has begun, and has not ended."""
    begun = con.execute("from raw.restored where restored_at is null limit 1").fetchone()
    return begun is not None


def mark_of_earlier_versions(landing: Path) -> Path:
    """The file that said so before the warehouse did."""
    return landing / journal.FOLDER / "restoring"


def portions(files: Iterable[tuple[File, int]], budget: int) -> Iterator[list[tuple[File, int]]]:
    """Cut files, with their sizes, into what one transaction takes: a larger file goes alone."""
    portion: list[tuple[File, int]] = []
    size = 0
    for file, file_size in files:
        if portion and (size + file_size > budget or len(portion) >= MAX_FILES):
            yield portion
            portion, size = [], 0
        portion.append((file, file_size))
        size += file_size
    if portion:
        yield portion


def _load_portion(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    files: list[LandedFile],
    read: Read,
    loaded: Loaded,
    suppressed: People | None,
    last: int,
) -> int:
    """Load some files in one transaction; take and return the number of the last load."""
    landing = settings.landing
    known = known_checksums(con, [file.name for file in files])
    if suppressed:
        _drop_suppressed(suppressed, [file for file in files if file.name not in known])
    portion, read_seconds = read()
    new = [contents for contents in portion if contents.file.name not in known]
    if new:
        load_id = last + 1
        for contents in new:
            contents.load_id = load_id
        took = seconds.Seconds(read=read_seconds)
        loaded_at = {load_id: datetime.now(UTC).replace(tzinfo=None)}
        unusable = insert_files(con, new, loaded_at, took)
        seconds.remember(settings.place, load_id, took)
        journal.catch_up(con, landing)
        last = load_id
        loaded.load_ids.append(load_id)
        loaded.add(new, unusable)
        log.info("load %d: %d files, in all %s", load_id, len(new), dict(loaded.rows))
    for contents in portion:
        name = contents.file.name
        loaded_as = known.get(name, contents.sha256)
        if loaded_as == contents.sha256 or _is_copy_of(loaded_as, contents.file, suppressed):
            move_to_loaded(landing, contents.file)
        else:
            _put_aside(contents.file)
            loaded.conflicts.append(name)
    return last


def _read(files: Iterable[LandedFile]) -> tuple[list[Contents], float]:
    began = time.perf_counter()
    portion = []
    for file in files:
        try:
            portion.append(landed_file.read(file))
        except FileNotFoundError:
            log.warning(
                "%s was taken away while it waited, and is not loaded; put it back to have it "
                "loaded.",
                file.path,
            )
    return portion, time.perf_counter() - began


def _drop_suppressed(suppressed: People, files: list[LandedFile]) -> None:
    """Take out what was received before the receiver knew, or came by another way."""
    dropped = 0
    for file in files:
        with suppress(FileNotFoundError):  # taken away: it is not read either
            dropped += blank_people(file.path, suppressed).total()
    if dropped:
        log.info("%d events of people who are suppressed were not loaded", dropped)


def _is_copy_of(loaded_as: str, file: LandedFile, suppressed: People | None) -> bool:
    """Take suppressed people out of a file that is not what was loaded by its name.

    Returns:
        Whether it is that now: what it was before they were erased has come once more.
    """
    if suppressed is None:
        return False
    blank_people(file.path, suppressed)
    return hashlib.sha256(file.path.read_bytes()).hexdigest() == loaded_as


def move_to_loaded(landing: Path, file: LandedFile) -> None:
    """Put a file that is in the warehouse where such files are."""
    target = landing / LOADED / file.call
    make_folder(target)
    try:
        file.path.rename(target / file.name)
    except FileNotFoundError:
        log.error(  # noqa: TRY400 - no traceback says more
            "%s was taken away while it was loaded. Its rows are in the warehouse, which cannot be "
            "made again without it: put it into %s.",
            file.path,
            target,
        )


def _put_aside(file: LandedFile) -> None:
    aside = put_aside(file.path)
    log.error(
        "%s was loaded before with other contents. It is not loaded again but kept as %s: "
        "compare it with the one in loaded/ to see which is right.",
        file.name,
        aside,
    )
