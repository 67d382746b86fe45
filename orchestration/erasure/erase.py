"""The order of an erasure, such that it can be killed at any point and done again.

First it is written down, by hash, who has to go. Then the files lose their lines, and only then the
warehouse its rows: it is the rows that say which files a person is in, so as long as there is
something to do in the files they are there. What the files are now, and the rows, change in one
transaction. Tables that have names with an id are built anew. At last the past goes, and what was
written down is marked as done.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import duckdb

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
from orchestration.erasure.remaining_ids import search
from orchestration.erasure.targets import Mention
from orchestration.loading import journal, suppressed
from orchestration.loading.people import USER, Id, People
from orchestration.models.schema_name import refuse_another_name
from orchestration.recovery.restore import restore_if_behind
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock

SEEN_SECONDS = 1.0
"""After so long every receiver knows who is suppressed: it looks four times a second."""

SEALED_SECONDS = 60.0
"""How much later than it should be a file may be sealed."""


MOST_SOUGHT = 20
"""Ids that are looked for in what others say, and in logs; with more it would take hours."""


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

    def report(self) -> Iterable[str]:
        """What to tell whoever asked; no id is in it."""
        yield (
            f"Erased {self.people} people: {self.lines} lines of {self.files} landed files, "
            "and all rows that came of them"
        )
        for mention in self.mentions:
            yield (
                f"{mention.events} {mention.call} events of others mention an id and stay; "
                f"the first: {', '.join(mention.message_ids)}"
            )
        if self.catalogs:
            yield f"Removed older catalogs: {', '.join(self.catalogs)}"
        if self.found:
            yield f"An id is still in: {', '.join(self.found)}"
        yield (
            "Out of reach: backups, copies made with SQL, tables of your own models until you "
            "build them anew, and events that wait at their senders"
        )


def forget(settings: Settings, ids: Iterable[Id], *, suppress: bool = True) -> Erased:
    """Erase people everywhere.

    Args:
        settings: Where everything is.
        ids: Who.
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
    suppressed.begin(settings.landing, wanted, suppressed=suppress)
    if suppress:
        time.sleep(SEEN_SECONDS)
    return _erase(settings, wanted)


def forget_notified(settings: Settings) -> Erased:
    """Erase those whom Segment's `delete` notifications name, and finish what was begun before.

    Raises:
        As `forget` does.
    """
    restore_if_behind(settings)
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        named = con.execute(
            "select distinct payload ->> '$.userId' from raw.delete "
            "where json_type(payload, '$.userId') not in ('OBJECT', 'ARRAY', 'NULL', 'BOOLEAN')"
        ).fetchall()
    ids = {Id(USER, text) for (text,) in named}
    if not ids and not suppressed.to_be_done(settings.landing):
        return Erased()
    suppressed.begin(settings.landing, ids, suppressed=settings.delete_suppresses)
    if settings.delete_suppresses:
        time.sleep(SEEN_SECONDS)
    return _erase(settings, ids)


def _erase(settings: Settings, ids: set[Id]) -> Erased:
    landing = settings.landing
    unloaded_files.wait_for_open_files(landing, settings.seal_seconds + SEALED_SECONDS)
    wanted = {entry.person for entry in suppressed.to_be_done(landing)}
    people = People(suppressed.key_of(landing), wanted, ids)
    with writer_lock(settings):
        with connect(settings) as con:
            create_raw_tables(con)
            refuse_another_name(con, settings)  # of whose tables nobody would be erased
            if people.people - {
                people.person(one) for one in ids
            }:  # begun before: nobody says them
                people = people.knowing(targets.recover_ids(con, people))
            done = _erase_people(con, settings, people)
        to_build = rebuilt_tables.marks(landing)
    if to_build:
        rebuilt_tables.build(settings, to_build)
    with writer_lock(settings):
        done.catalogs = purge.sweep(settings)
        done.found = search(settings, people) if _are_few(people) else []
        with connect(settings, read_only=True) as con:
            record.finish(con, landing)
    return done


def _are_few(people: People) -> bool:
    """Whether every row and log is to be searched for their ids."""
    return len(people.ids) <= MOST_SOUGHT


def _erase_people(con: duckdb.DuckDBPyConnection, settings: Settings, people: People) -> Erased:
    """Take people out of files and rows, and mark the tables with names that hold an id."""
    landing = settings.landing
    journal.catch_up(con, landing)
    loaded_files.settle(con, landing)
    unloaded_files.remove_leftovers(landing)
    found = targets.find(con, people)
    mentions = targets.mentions(con, people) if _are_few(people) else []
    found += unloaded_files.blank_staged(landing, people)
    found += unloaded_files.blank_waiting(landing, people)
    changed = loaded_files.blank_loaded(con, landing)
    journal.replace_checksums(landing, {file: one.sha256 for file, one in changed.items()})
    with transaction(con):
        raw_rows.erase_rows(con, settings, people, changed)
        if calls := erased_fields.names_of_nobody_else(con, people):
            rebuilt_tables.mark(landing, calls)
        record.note(con, people, found)
    erased_fields.export_fields(con, landing)
    return Erased(
        people=len(people.people),
        lines=found.total(),
        files=len({file for _, file in found}),
        mentions=mentions,
    )
