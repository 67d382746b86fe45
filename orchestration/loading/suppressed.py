"""`landing/suppressed/`: who was erased or is to be, by hash, and whose events are stored no more.

The receiver reads it too; landing/README.md is what both keep to.
"""

import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from filelock import FileLock

from landed.errors import ReportedError
from landed.folders import SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from orchestration.durable_files import sync_folder, write_whole
from orchestration.loading.people import Id, People, Person, hash_of

_KEY_BYTES = 32


class Entry(msgspec.Struct):
    """A line of the list: one erasure of one person."""

    kind: str
    hash: str
    at: datetime
    """When it was asked for."""
    suppressed: bool
    """Whether their events are stored no more."""
    done_at: datetime | None = None
    """When it was done; until then it is begun again by the next erasure."""
    lines: int = 0
    """Lines that were erased."""
    files: int = 0
    """Landed files they were in."""

    @property
    def person(self) -> Person:
        """Who it is about."""
        return Person(self.kind, self.hash)


class DamagedListError(ReportedError):
    """The list, or its key, cannot be read; the text says what to do."""


def key_of(landing: Path) -> bytes:
    """The key of the hashes, made when it is first asked for.

    Raises:
        DamagedListError: it is gone, though there is a list made with it.
    """
    folder = landing / SUPPRESSED
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _lock(landing):
        if not (folder / SUPPRESSED_KEY).exists():
            if entries(landing):
                raise DamagedListError(
                    f"{folder / SUPPRESSED_KEY} is gone, and without it nobody in "
                    f"{SUPPRESSED_LIST} can be told. Put it back from a backup, or remove the "
                    "list: then nobody is suppressed any more."
                )
            write_whole(folder / SUPPRESSED_KEY, secrets.token_hex(_KEY_BYTES).encode() + b"\n")
            sync_folder(landing)
        return bytes.fromhex((folder / SUPPRESSED_KEY).read_text())


def entries(landing: Path) -> list[Entry]:
    """All erasures, the oldest first.

    Raises:
        DamagedListError: a line cannot be read.
    """
    path = landing / SUPPRESSED / SUPPRESSED_LIST
    if not path.exists():
        return []
    try:
        return [msgspec.json.decode(line, type=Entry) for line in path.read_bytes().splitlines()]
    except msgspec.MsgspecError as error:
        raise DamagedListError(
            f"{path} cannot be read ({error}). Put it back from a backup; until then nothing is "
            "loaded, as it may be of people that were erased."
        ) from error


def begin(landing: Path, ids: Iterable[Id], *, suppressed: bool) -> None:
    """Write down, synced, that people are to be erased; those that already are stay as they are."""
    wanted = _people_of(landing, ids)
    now = datetime.now(UTC)
    with _changed(landing) as found:
        waiting = {entry.person: entry for entry in found if entry.done_at is None}
        for person in sorted(wanted):
            if person in waiting:
                waiting[person].suppressed |= suppressed
            else:
                found.append(Entry(*person, at=now, suppressed=suppressed))


def to_be_done(landing: Path) -> list[Entry]:
    """The erasures that were asked for and are not done."""
    return [entry for entry in entries(landing) if entry.done_at is None]


def finish(landing: Path, erased: Iterable[tuple[Person, datetime, int, int]]) -> None:
    """Write down that erasures are done.

    Args:
        landing: The landing folder.
        erased: Who, when, how many lines and in how many files, as often as there was something.
    """
    parts: dict[Person, list[tuple[datetime, int, int]]] = defaultdict(list)
    for person, erased_at, lines, files in erased:
        parts[person].append((erased_at, lines, files))
    now = datetime.now(UTC)
    with _changed(landing) as found:
        for entry in found:
            done = [part for part in parts[entry.person] if part[0] >= entry.at]
            if entry.done_at is None and done:
                entry.done_at = now
                entry.lines = sum(lines for _, lines, _ in done)
                entry.files = sum(files for _, _, files in done)


def allow_again(landing: Path, ids: Iterable[Id]) -> int:
    """Store the events of people again from now on.

    Returns:
        How many of them were suppressed.
    """
    wanted = _people_of(landing, ids)
    with _changed(landing) as found:
        freed = [entry for entry in found if entry.suppressed and entry.person in wanted]
        for entry in freed:
            entry.suppressed = False
    return len({entry.person for entry in freed})


def suppressed_people(landing: Path) -> People | None:
    """Those whose events are stored no more; None if there are none."""
    people = {entry.person for entry in entries(landing) if entry.suppressed}
    return People(key_of(landing), people) if people else None


def _people_of(landing: Path, ids: Iterable[Id]) -> set[Person]:
    key = key_of(landing)
    return {Person(one.kind, hash_of(key, one)) for one in ids}


@contextmanager
def _changed(landing: Path) -> Iterator[list[Entry]]:
    """The list, to be changed in a `with` block; it is written as a whole behind it."""
    with _lock(landing):
        found = entries(landing)
        yield found
        lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in found)
        write_whole(landing / SUPPRESSED / SUPPRESSED_LIST, lines)


def _lock(landing: Path) -> FileLock:
    return FileLock(landing / SUPPRESSED / ".lock", mode=0o600, timeout=60)
