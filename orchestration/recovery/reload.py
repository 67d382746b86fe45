"""Trying again what was rejected: under today's rules and settings it may be an event.

What is one moves from `raw.rejected` to the table of its call, in one transaction, with the time at
which it was received and the file and line it came in. The models then take it like any other.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from landed.folders import CALLS
from landed.line import MAX_DEPTH
from orchestration.loading import journal
from orchestration.loading.insert import HOUR, UNKNOWN, highest_load, insert_events
from orchestration.loading.journal import JournaledLoad
from orchestration.loading.landed_file import Contents, LandedFile, Line, Lines, without_nul
from orchestration.loading.load import refuse_if_behind
from orchestration.settings import Settings
from orchestration.warehouse.catalog import number
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Event, Limits, check_event
from receiver.events.json_text import JsonObject
from receiver.events.made_up_ids import OfLine
from receiver.events.shared_fields import NOTHING_SHARED
from receiver.settings import Settings as ReceiverSettings

_AT_ONCE = 500

_NO_LIMITS = Limits(event_bytes=2**62, depth=MAX_DEPTH, may_delete=True)


@dataclass
class Reloaded:
    """What became of the rejected records."""

    tried: int = 0
    moved: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """Reason → records that are still none."""


def limits_of_today() -> Limits:
    """What an event may measure, as the receiver is set up now.

    None of them orders an erasure: nobody knows any more whether its sender might.

    Raises:
        WrongSettingsError: the receiver's settings do not fit.
    """
    receiving = ReceiverSettings()
    return Limits(receiving.event_bytes, receiving.depth)


def reload_rejected(settings: Settings, limits: Limits) -> Reloaded:
    """Check every rejected record once more, as the receiver checks an event.

    Args:
        settings: where the warehouse is.
        limits: what an event may measure now.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
        WarehouseBehindError: the warehouse lacks what it once had (`restore` first).
    """
    done = Reloaded()
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        refuse_if_behind(con, settings)
        journal.catch_up(con, settings.landing)
        con.execute(
            "create temp table tried as "
            "select file, line, row_number() over (order by file, line) as number from raw.rejected"
        )
        for first in range(0, number(con, "select count(*) from tried"), _AT_ONCE):
            con.execute(
                "create or replace temp table chosen as "
                "select file, line from tried where number > $1 and number <= $1 + $2",
                [first, _AT_ONCE],
            )
            load = (highest_load(con) + 1, datetime.now(UTC).replace(tzinfo=None))
            tried, moved = _move_chosen(con, limits, *load)
            done.tried += tried
            done.moved += moved
            journal.catch_up(con, settings.landing)
        done.left = dict(
            con.execute("select reason, count(*) from raw.rejected group by reason").fetchall()
        )
    return done


def move_again(con: duckdb.DuckDBPyConnection, load: JournaledLoad) -> int:
    """Do what the journal says an earlier reload did.

    Returns:
        How many records were moved.
    """
    lines = [(part.file, line) for part in load.moved for line in part.lines]
    names, numbers = zip(*lines, strict=True)
    con.register("lines", pa.table({"file": pa.array(names), "line": pa.array(numbers)}))
    con.execute("create or replace temp table chosen as from lines")
    con.unregister("lines")
    loaded_at = load.loaded_at.replace(tzinfo=None)
    _, moved = _move_chosen(con, _NO_LIMITS, load.load_id, loaded_at)
    return moved


def _move_chosen(
    con: duckdb.DuckDBPyConnection, limits: Limits, load_id: int, loaded_at: datetime
) -> tuple[int, int]:
    """Move what is an event of the records in `chosen`; return how many were tried and moved."""
    records = con.execute(
        """
        select file, line, call, source, credential, sent_at, body,
            strftime(received_at, '%Y-%m-%dT%H:%M:%S.%fZ')
        from raw.rejected semi join chosen using (file, line)
        where body is not null order by file, line
        """
    ).fetchall()
    by_file: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for name, at, call, source, credential, sent_at, body, received_at in records:
        path_call = call if call in CALLS else None
        ids = OfLine(name, at)
        event = check_event(bytes(body), NOTHING_SHARED, path_call, limits, ids=ids)
        if isinstance(event, Event) and received_at is not None:
            line = Line(
                without_nul(event.message_id),
                received_at,
                without_nul(event.sent_at) if event.sent_at else sent_at,
                source,
                credential,
                _without_write_key(event.payload),
                at,
            )
            by_file[name, event.call].append(line)
    portion = [
        Contents(LandedFile(Path(name), call), 0, "", Lines.of(lines), load_id=load_id)
        for (name, call), lines in by_file.items()
    ]
    return len(records), _insert(con, portion, load_id, loaded_at) if portion else 0


def _insert(
    con: duckdb.DuckDBPyConnection, portion: list[Contents], load_id: int, loaded_at: datetime
) -> int:
    """Insert the events, take them out of the rejected, and note both in ledger and counts."""
    places = [(one.file.name, line) for one in portion for line in one.lines.line]
    moved = pa.table(list(zip(*places, strict=True)), ["file", "line"])
    with transaction(con):
        unusable = insert_events(con, portion)
        con.register("moved", moved)
        con.execute(
            f"""
            insert into raw.landed_count
            select $1, coalesce(call, '{UNKNOWN}'), coalesce(source, '{UNKNOWN}'), {HOUR}, -count(*)
            from raw.rejected semi join moved using (file, line) where load_id < $1 group by all
            """,  # noqa: S608 - our own words
            [load_id],
        )
        # what the warehouse itself could not read was put back by insert_events, with its reason
        con.execute(
            "delete from raw.rejected where load_id < $1 "
            "and (file, line) in (select (file, line) from moved)",
            [load_id],
        )
        con.execute(
            """
            insert into raw.landed_file
            select file, 'rejected', 0, known.sha256, count(*), -count(*), $1, $2
            from moved
            join (select distinct file, sha256 from raw.landed_file) as known using (file)
            anti join (select file, line from raw.rejected where load_id = $1) as put_back
                using (file, line)
            group by file, known.sha256
            """,
            [load_id, loaded_at],
        )
        con.unregister("moved")
    return len(moved) - unusable.total()


def _without_write_key(payload: bytes) -> bytes:
    """The event without the key that some SDKs put into it; all else stays byte for byte."""
    event = JsonObject(payload)
    return event.changed({"writeKey": None}) if "writeKey" in event.values else payload
