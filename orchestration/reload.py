"""Trying again what was rejected: under today's rules and settings it may be an event.

What is one moves from `raw.rejected` to the table of its call, in one transaction, with the time at
which it was received and the file and line it came in. The models then take it like any other.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from orchestration.loading.fields import add_fields
from orchestration.loading.landed_file import Contents, LandedFile, Lines, Rejects
from orchestration.loading.load import insert_events, next_load_id
from orchestration.loading.tables import CALLS, create_raw_tables
from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from orchestration.settings import Settings
from receiver.events import Event, Limits, check_event
from receiver.shared_fields import NOTHING_SHARED

_AT_ONCE = 500


@dataclass
class Reloaded:
    """What became of the rejected records."""

    tried: int = 0
    moved: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """Reason → records that are still none."""


def reload_rejected(settings: Settings, limits: Limits) -> Reloaded:
    """Check every rejected record once more, as the receiver checks an event.

    Args:
        settings: where the warehouse is.
        limits: what an event may measure now.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    done = Reloaded()
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        con.execute(
            "create temp table tried as "
            "select *, row_number() over (order by file, line) as number from raw.rejected"
        )
        for first in range(0, _count(con, "tried"), _AT_ONCE):
            _move(con, limits, first, done)
        done.left = dict(
            con.execute("select reason, count(*) from raw.rejected group by reason").fetchall()
        )
    return done


def _move(con: duckdb.DuckDBPyConnection, limits: Limits, first: int, done: Reloaded) -> None:
    records = con.execute(
        """
        select file, line, call, source, sent_at, body,
            strftime(received_at, '%Y-%m-%dT%H:%M:%S.%fZ')
        from tried where number > $1 and number <= $2 and body is not null and file is not null
        """,
        [first, first + _AT_ONCE],
    ).fetchall()
    done.tried += len(records)
    by_file: dict[tuple[str, str], Lines] = defaultdict(Lines)
    for name, number, call, source, sent_at, body, received_at in records:
        event = check_event(bytes(body), NOTHING_SHARED, call if call in CALLS else None, limits)
        if isinstance(event, Event) and received_at is not None:
            lines = by_file[name, event.call]
            lines.message_id.append(event.message_id)
            lines.received_at.append(received_at)
            lines.sent_at.append(event.sent_at or sent_at)
            lines.source.append(source)
            lines.payload.append(_without_write_key(event.payload).decode())
            lines.line.append(number)
    if by_file:
        done.moved += _insert(con, by_file)


def _insert(con: duckdb.DuckDBPyConnection, by_file: dict[tuple[str, str], Lines]) -> int:
    """Insert the events, take them out of the rejected, and note both in the ledger."""
    portion = [
        Contents(LandedFile(Path(name), call), 0, "", lines, Rejects())
        for (name, call), lines in by_file.items()
    ]
    con.execute("begin")
    try:
        load_id = next_load_id(con)
        unusable: Counter[str] = Counter()
        noted: list[pa.Table] = []
        for call in CALLS:
            of_call = [one for one in portion if one.file.call == call]
            unusable += insert_events(con, call, of_call, load_id, noted)
        if noted:
            add_fields(con, load_id, noted)
        moved = pa.table(
            {
                "file": [one.file.name for one in portion for _ in one.lines.line],
                "line": [line for one in portion for line in one.lines.line],
            }
        )
        con.register("moved", moved)
        # what the warehouse itself could not read was put back by insert_events, with its reason
        con.execute(
            "delete from raw.rejected where load_id < $1 "
            "and (file, line) in (select (file, line) from moved)",
            [load_id],
        )
        con.execute(
            """
            insert into raw.landed_file
            select file, 'rejected', 0, known.sha256, count(*), -count(*), $1,
                timezone('UTC', now())
            from moved
            join (select distinct file, sha256 from raw.landed_file) as known using (file)
            anti join (select file, line from raw.rejected where load_id = $1) as put_back
                using (file, line)
            group by file, known.sha256
            """,
            [load_id],
        )
        con.unregister("moved")
        con.execute("commit")
    except BaseException:
        con.rollback()
        raise
    return len(moved) - unusable.total()


def _without_write_key(payload: bytes) -> bytes:
    """The event without the key that some SDKs put into it; all else stays byte for byte."""
    if b'"writeKey"' not in payload:
        return payload
    members = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
    members.pop("writeKey", None)
    return msgspec.json.encode(members)


def _count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - our own
    return int(row[0]) if row else 0
