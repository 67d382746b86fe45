"""`landing/suppressed/`: who was erased or is to be, by hash, and whose events are stored no more.

The receiver reads it too; landing/README.md is what both keep to.
"""

import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from filelock import FileLock

from landed.errors import ReportedError
from landed.folders import SUPPRESSED, SUPPRESSED_KEY, SUPPRESSED_LIST
from orchestration.durable_files import sync_folder, write_whole
from orchestration.loading.people import Id, People, Person, hash_of, near_hash_of

_KEY_BYTES = 32

_NOT_SUPPRESSED = b'"suppressed":false'

COMMAND = "command"
NOTIFICATION = "notification"


class Order(NamedTuple):
    """Who ordered an erasure; the notification itself goes with whom it names."""

    ordered_by: str = COMMAND
    """The command, a notification, or unknown: of a version that did not keep it."""
    source: str | None = None
    """The source that sent the notification."""
    ordered_at: datetime | None = None
    """When it was received."""
    credential: str | None = None
    """By what kind of credential, as far as that is known."""


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
    ordered_by: str = "unknown"
    """As the rest, of an `Order`."""
    source: str | None = None
    ordered_at: datetime | None = None
    credential: str | None = None
    near: str | None = None
    """The hash of what the id is when case, blanks and forms of numbers do not count."""

    @property
    def order(self) -> Order:
        """Who ordered it."""
        return Order(self.ordered_by, self.source, self.ordered_at, self.credential)

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


def entries(landing: Path, *, suppressed_alone: bool = False) -> list[Entry]:
    """All erasures, the oldest first, or those alone of people whose events are stored no more.

    Raises:
        DamagedListError: a line cannot be read.
    """
    path = landing / SUPPRESSED / SUPPRESSED_LIST
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines()
    if suppressed_alone:  # by every load, and of a million others none is decoded
        lines = [line for line in lines if _NOT_SUPPRESSED not in line or not line.endswith(b"}")]
    try:
        found = _decode_all(lines)
        return [entry for entry in found if entry.suppressed] if suppressed_alone else found
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedListError(
            f"{path} cannot be read ({error}). Put it back from a backup; until then nothing is "
            "loaded, as it may be of people that were erased."
        ) from error


def _decode_all(lines: list[bytes]) -> list[Entry]:
    decode = msgspec.json.Decoder(Entry).decode
    return [decode(line) for line in lines]


def begin(landing: Path, ids: Iterable[Id] | Mapping[Id, Order], *, suppressed: bool) -> None:
    """Write down, synced, that people are to be erased; those that already are stay as they are.

    Args:
        landing: The landing folder.
        ids: Who, and who ordered it; the command did if that is not given.
        suppressed: Whether what comes of them later is not stored.
    """
    orders = ids if isinstance(ids, Mapping) else dict.fromkeys(ids, Order())
    key = key_of(landing)
    wanted = {
        Person(one.kind, hash_of(key, one)): (order, near_hash_of(key, one))
        for one, order in orders.items()
    }
    now = datetime.now(UTC)
    with _changed(landing) as found:
        waiting = {entry.person: entry for entry in found if entry.done_at is None}
        for person, (order, near) in sorted(wanted.items(), key=lambda one: one[0]):
            if person not in waiting:
                entry = Entry(*person, at=now, suppressed=suppressed, near=near)
                found.append(msgspec.structs.replace(entry, **order._asdict()))
                continue
            waiting[person].suppressed |= suppressed
            if order.ordered_by == COMMAND:  # which may do more
                waiting[person].ordered_by = COMMAND


def hour_of(moment: datetime) -> datetime:
    """The hour in which a ceiling is counted."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def begun_in_hour(landing: Path, now: datetime) -> Counter[str | None]:
    """How many people each source's notifications have had erased in an hour until now."""
    hour = hour_of(now)
    return Counter(
        entry.source
        for entry in entries(landing)
        if entry.ordered_by == NOTIFICATION and hour_of(entry.at) == hour
    )


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
    found = entries(landing, suppressed_alone=True)
    people = {entry.person for entry in found}
    by_hand = {entry.person for entry in found if entry.ordered_by != NOTIFICATION}
    return People(key_of(landing), people, in_broken=by_hand) if people else None


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
