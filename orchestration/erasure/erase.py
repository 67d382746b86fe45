"""The order of an erasure, such that it can be killed at any point and done again.

First it is written down, by hash, who has to go and who ordered it. Then, some rows at a time, the
files lose their lines, and only then the warehouse its rows: it is the rows that say which files a
person is in, so as long as there is something to do in the files they are there. What the files are
now, and the rows, change in one transaction. Tables that have names with an id are built anew. At
last the past goes, an object store gets the files as they are now, and what was written down is
marked as done.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from landed.folders import SUPPRESSED
from orchestration.columns.update import create_column_tables
from orchestration.erasure import (
    erased_fields,
    loaded_files,
    purge,
    raw_rows,
    rebuilt_tables,
    record,
    targets,
    unloaded_files,
)
from orchestration.erasure.near_ids import count_near, of_email, with_near
from orchestration.erasure.notified import named
from orchestration.erasure.remaining_ids import search
from orchestration.erasure.targets import Mention, Places
from orchestration.erasure.users_tables import rows_left
from orchestration.errors import ErasureStoppedError
from orchestration.loading import journal, suppressed
from orchestration.loading.insert import IS_RETRY
from orchestration.loading.people import Found, Id, People, Person
from orchestration.loading.suppressed import NOTIFICATION, Order
from orchestration.models.schema_name import refuse_another_name
from orchestration.recovery.restore import restore_if_behind
from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.transaction import transaction

SEEN_SECONDS = 1.0
"""After so long every receiver knows who is suppressed: it looks four times a second."""

SEALED_SECONDS = 60.0
"""How much later than it should be a file may be sealed."""

MOST_SOUGHT = 20
"""Ids that are looked for in what others say, and in logs; with more it would take hours."""

PART_ROWS = 25_000
"""Rows that go while the writer's lock is held once; loads go in between."""

MOST_NAMED = 20
"""So many objects are named that are out of reach."""

TURN_SECONDS = 2.0
"""After so long no other file is begun while the lock is held."""


@dataclass
class Erased:
    """What was erased, and what could not be or was not ours to erase."""

    people: int = 0
    lines: int = 0
    """In landed files, each with the rows that came of it."""
    files: int = 0
    mentions: list[Mention] = field(default_factory=list)
    catalogs: list[str] = field(default_factory=list)
    """Older catalogs, put aside by rebuilds, that were removed."""
    found: list[str] = field(default_factory=list)
    """Files beside the warehouse that still hold an id."""
    rows_left: dict[str, int] = field(default_factory=dict)
    """Tables of users' own that still have rows with an id → how many."""
    short_ids: int = 0
    """Ids that were not looked for in what cannot be read."""
    waiting: int = 0
    """People whom notifications name and who wait, beyond the ceiling of an hour."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why ids in notifications are refused → how many."""
    near: Counter[str] = field(default_factory=Counter)
    """In what way other ids are nearly those → events with such an id; they stay."""
    out_of_reach: list[str] = field(default_factory=list)
    """Objects in the store that hold whatever they hold: of no use, or of files lost here."""
    longest_lock_seconds: float = 0.0
    """The longest that a load had to wait."""

    def report(self) -> Iterable[str]:
        """What to tell whoever asked; no id is in it."""
        yield (
            f"Erased {self.people} people: {self.lines} lines of {self.files} landed files, "
            "and all rows that came of them"
        )
        if self.waiting:
            yield (
                f"{self.waiting} people whom notifications name wait for another hour: their "
                "source has had as many erased as SEAMLINE_DELETE_PEOPLE allows"
            )
        for reason, number in sorted(self.refused.items()):
            yield f"{number} ids in notifications are refused as {reason}"
        if self.short_ids:
            yield (
                f"{self.short_ids} ids are too short to be looked for in what cannot be read; a "
                "field userId or anonymousId with the id counts there too"
            )
        for mention in self.mentions:
            yield (
                f"{mention.events} {mention.call} events of others mention an id and stay; "
                f"the first: {', '.join(mention.message_ids)}"
            )
        for way, number in sorted(self.near.items()):
            yield f"{number} events have an id that is nearly one of these and stay: {way}"
        if self.catalogs:
            yield f"Removed older catalogs: {', '.join(self.catalogs)}"
        if self.found:
            yield f"An id is still in: {', '.join(self.found)}"
        for table, rows in self.rows_left.items():
            yield (
                f"{table} still has {rows} rows with an id: it is your own; build it anew or "
                "delete them, then erase once more"
            )
        if self.out_of_reach:
            more = len(self.out_of_reach) - MOST_NAMED
            yield (
                f"Out of reach: {', '.join(self.out_of_reach[:MOST_NAMED])}"
                f"{f' and {more} more' if more > 0 else ''} in the object store. They cannot be "
                "read, or their files are not here, and they may hold lines of these people: look "
                "what they are, remove them or put them right, then erase once more"
            )
        yield "Out of reach: backups, copies made with SQL, and events that wait at their senders"


def forget(
    settings: Settings,
    ids: Iterable[Id],
    *,
    emails: Iterable[str] = (),
    near: bool = False,
    suppress: bool = True,
) -> Erased:
    """Erase people everywhere.

    Args:
        settings: Where everything is.
        ids: Who.
        emails: E-mail addresses; whose they are goes as well.
        near: Whether what is in the warehouse goes with ids that are nearly the same, too.
        suppress: Whether what comes of them later is not stored either.

    Raises:
        WriterBusyError: another writer did not finish in time.
        ErasureStoppedError: something was in the way; the text says what.
        SchemaMovedError: the tables are under another name, or under two.

    After any of these, or a death, the erasure is still written down: it is finished by the next
    one, whoever that is for, and by the hourly one.
    """
    wanted = set(ids)
    restore_if_behind(settings)
    if emails or near:
        with connect(settings, read_only=True) as con:
            for email in emails:
                wanted |= of_email(con, email)
            if near:
                wanted = with_near(con, wanted)
    suppressed.begin(settings.landing, wanted, suppressed=suppress)
    if suppress:
        time.sleep(SEEN_SECONDS)
    return _erase(settings, wanted)


def forget_notified(settings: Settings, *, with_ceiling: bool = True) -> Erased:
    """Erase those whom Segment's `delete` notifications name, and finish what was begun before.

    Args:
        settings: Where everything is.
        with_ceiling: Whether each source may order so many erasures an hour only.

    Raises:
        As `forget` does.
    """
    restore_if_behind(settings)
    ceiling = settings.delete_people if with_ceiling else None
    with connect(settings, read_only=True) as con:
        found = named(con, settings.landing, ceiling, datetime.now(UTC))
    if not found.now and not suppressed.to_be_done(settings.landing):
        return Erased(waiting=found.waiting, refused=found.refused)
    suppressed.begin(settings.landing, found.now, suppressed=settings.delete_suppresses)
    if settings.delete_suppresses:
        time.sleep(SEEN_SECONDS)
    done = _erase(settings, set(found.now))
    done.waiting, done.refused = found.waiting, found.refused
    return done


def _erase(settings: Settings, ids: set[Id]) -> Erased:
    with _one_at_a_time(settings):
        return _erase_in_turns(settings, ids)


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    path = settings.landing / SUPPRESSED / ".erasing"
    try:
        with FileLock(path, mode=0o600, timeout=settings.lock_seconds):
            yield
    except Timeout:
        raise ErasureStoppedError(
            f"Another erasure has been going on for longer than {settings.lock_seconds:g} s. What "
            "was asked for is written down: the next one, or the hourly one, does it."
        ) from None


def _erase_in_turns(settings: Settings, ids: set[Id]) -> Erased:
    """Erase, with the writer's lock held for short times; loads go in between.

    What has to be looked for is looked for without it. A death between two times leaves what was
    done as done, and the rest is found by the next erasure.
    """
    landing = settings.landing
    locks = ShortLocks(settings)
    unloaded_files.wait_for_open_files(landing, settings.seal_seconds + SEALED_SECONDS)
    out_of_reach = []
    if settings.landing_remote:
        from orchestration.remote.process import bring_all_that_waits  # noqa: PLC0415 - obstore

        out_of_reach = bring_all_that_waits(settings)
    todo = suppressed.to_be_done(landing)
    orders = {entry.person: entry.order for entry in todo}
    by_hand = [entry.person for entry in todo if entry.ordered_by != NOTIFICATION]
    people = People(suppressed.key_of(landing), orders, ids, in_broken=by_hand)
    done = Erased(people=len(people.people), out_of_reach=out_of_reach)
    with connect(settings, read_only=True) as con:
        refuse_another_name(con, settings)  # of whose tables nobody would be erased
        if people.people - {people.person(one) for one in ids}:  # begun before: nobody says them
            people = people.knowing(targets.recover_ids(con, people))
        # staged before waiting, as they go there next; and both before rows, which they become
        found = unloaded_files.blank_staged(landing, people)
        found += _erase_unloaded(settings, locks, people)
        places = targets.find(con, people)
        if _are_few(people):
            done.mentions = targets.mentions(con, people)
            done.near = count_near(con, people.ids)
    done.short_ids = people.short_ids()
    people.spell()  # while nobody waits
    to_build = _erase_loaded(settings, locks, Erasure(people, orders, found), places, done)
    if to_build:
        rebuilt_tables.build(settings, to_build)
    purge.prepare(settings, locks)
    with locks.hold():
        done.catalogs = purge.sweep(settings)
        is_empty = purge.empty_catalog(settings)
    if not is_empty:
        purge.empty_catalog_soon(settings, locks)
    if _are_few(people):
        done.found = search(settings, people)
    if settings.landing_remote:
        from orchestration.remote.process import finish  # noqa: PLC0415 - brings obstore

        # before it is done: what is there is as it is here
        done.out_of_reach += finish(settings, lists_store=True)
    with connect(settings, read_only=True) as con:
        if _are_few(people):
            done.rows_left = rows_left(con, settings, people)
        record.finish(con, landing)
    done.longest_lock_seconds = locks.longest_seconds
    return done


class Erasure(NamedTuple):
    """Who goes, by whose order, and what of them was in files that were not loaded."""

    people: People
    orders: Mapping[Person, Order]
    unloaded: Found

    def unloaded_of(self, some: set[Person]) -> Found:
        """What of some of them was in such files."""
        return Found({key: lines for key, lines in self.unloaded.items() if key[0] in some})


def _remember_shipped(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Remember what the files in `erased` were: a machine may have them still, and ship them."""
    from orchestration.remote.settle import remember_shipped  # noqa: PLC0415 - brings obstore

    rows = con.execute(
        f"select distinct call || '/' || file, sha256 from raw.landed_file "
        f"semi join erased using (file) where not ({IS_RETRY})"
    )
    remember_shipped(landing, dict(rows.fetchall()))


def _are_few(people: People) -> bool:
    """Whether every row and log is to be searched for their ids."""
    return len(people.ids) <= MOST_SOUGHT


def _erase_unloaded(settings: Settings, locks: ShortLocks, people: People) -> Found:
    """Take people out of the files that wait."""
    found = Found()
    looked = list(unloaded_files.look_through_waiting(settings.landing, people))
    while looked:
        with locks.hold():
            with connect(settings) as con:
                journal.catch_up(con, settings.landing)
                loaded_files.settle(con, settings.landing)
            began = time.monotonic()
            while looked and time.monotonic() - began < TURN_SECONDS:
                found += unloaded_files.blank_waiting(looked.pop(), people)
    return found


def _erase_loaded(
    settings: Settings, locks: ShortLocks, erasure: Erasure, places: Places, done: Erased
) -> list[Path]:
    """Take people out of loaded files and of rows, so many rows at a time.

    A file comes again if it has more of them: each time ledger, journal and counts say what it is.

    Returns:
        The marks of tables that are to be built anew.
    """
    left = set(erasure.people.people)
    files = {file for _, file in erasure.unloaded}
    done.lines = erasure.unloaded.total()
    after = places.last_load
    parts = list(places.parts(PART_ROWS))
    for part in parts:
        with locks.hold(), connect(settings) as con:
            is_last = part is parts[-1]
            found, after = _erase_part(con, settings, erasure, part, after, left, is_last)
        done.lines += found.total()
        files.update(file for _, file in found)
        left -= {person for person, _ in found}
    done.files = len(files)
    return rebuilt_tables.marks(settings.landing)


def _erase_part(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    erasure: Erasure,
    part: pa.Table,
    after: int,
    not_noted: set[Person],
    is_last: bool,
) -> tuple[Found, int]:
    landing = settings.landing
    create_raw_tables(con)  # after an update nothing may have been loaded yet
    create_column_tables(con)
    journal.catch_up(con, landing)
    loaded_files.settle(con, landing)
    unloaded_files.remove_leftovers(landing)
    found, after = targets.take_part(con, erasure.people, part, after)
    if settings.landing_remote:
        _remember_shipped(con, landing)
    changed = loaded_files.blank_loaded(con, landing)
    journal.replace_checksums(landing, {file: one.sha256 for file, one in changed.items()})
    with transaction(con):
        has_new = erased_fields.keep_fields(con, erasure.people)
        raw_rows.erase_rows(con, settings, changed)
        # with the last rows of whom they name: nobody could tell them from others behind that
        if calls := erased_fields.names_of_nobody_else(con, erasure.people):
            rebuilt_tables.mark(landing, calls)
        theirs = {person for person, _ in found} | (not_noted if is_last else set())
        unloaded = erasure.unloaded_of(theirs & not_noted)
        record.note(con, theirs, found + unloaded, erasure.orders)
    if has_new or is_last:  # what a rebuild goes by has each name at once, and counts at the end
        erased_fields.export_fields(con, landing)
    return found, after
