"""`seamline trace`: where one event is, by its `message_id`, from the file to the row.

Only ids of messages, places and times are shown: nothing of what an event says.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from landed.folders import CALLS, REJECTED
from landed.ids import landed_message_id
from orchestration.audit.sources import HOURS, sources
from orchestration.loading import archive
from orchestration.loading.landed_file import LandedFile, Line, Reject, parse
from orchestration.loading.waiting import waiting_files
from orchestration.settings import Settings
from orchestration.warehouse.catalog import columns_in
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseMissingError
from orchestration.warehouse.raw_tables import WITH_TABLE

_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.,]{2,20}(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_COLUMNS = ("source", "credential", "received_at", "sent_at", "load_id", "file", "line")


@dataclass(frozen=True)
class Copy:
    """A copy of an event that was received and stored, or rejected; times are in UTC."""

    call: str
    source: str | None
    credential: str | None
    """By what kind of credential it came, if that is known."""
    received_at: datetime | None
    sent_at: str | None
    """As the sender wrote it, if it is written as a time."""
    load_id: int | None
    """The load that took it; None while its file waits."""
    file: str
    line: int
    place: str
    """Where the file is now."""
    loaded_at: datetime | None = None
    reason: str | None = None
    """Why it was rejected, if it was."""
    is_row: bool = False
    """Whether it is the one that the final table shows."""


@dataclass
class Trace:
    """What is known of a `message_id`."""

    message_id: str
    copies: list[Copy] = field(default_factory=list)
    """In the order of their receipt."""
    not_modelled: list[str] = field(default_factory=list)
    """Calls whose final table does not show the copies that are loaded yet."""
    not_stored: dict[str, int] = field(default_factory=dict)
    """What events of whatever id became that were not stored lately, if there is no copy."""

    def lines(self, schema: str) -> Iterator[str]:
        """All of it, for a terminal.

        Args:
            schema: That of the final tables.
        """
        rows = {copy.call: copy for copy in self.copies if copy.is_row}
        for copy in self.copies:
            yield _received(copy)
            yield f"  {copy.place}, line {copy.line}"
            yield f"  {_became(copy, rows.get(copy.call), schema, self.not_modelled)}"
        if self.copies:
            return
        yield f"No copy of {self.message_id!r} is in the files that wait or in the warehouse."
        others = ", ".join(f"{number} {what}" for what, number in sorted(self.not_stored.items()))
        yield (
            f"It was not received, or was not stored (in the last {HOURS} hours, of all ids: "
            f"{others or 'nothing'}), or its person was erased."
        )


def trace(settings: Settings, message_id: str) -> Trace:
    """Look for an event in files and warehouse, without a lock and beside whoever writes.

    Args:
        settings: Where they are.
        message_id: The event's `messageId`, or the hash that stands for it.
    """
    found = Trace(message_id)
    landed_id = landed_message_id(message_id)
    # first: what is loaded meanwhile is then found twice, not never
    waiting = list(_waiting(settings.landing, landed_id))
    try:
        with connect(settings, read_only=True) as con:
            con.execute("begin")
            raw, final = columns_in(con, "raw"), columns_in(con, settings.schema_name)
            found.copies = [
                *_loaded(con, settings, landed_id, raw, final),
                *_rejected(con, settings, landed_id, raw),
            ]
            found.not_modelled = _not_modelled(con, settings, found.copies, final)
            if not found.copies and not waiting:
                for source in sources(con, settings.landing, datetime.now(UTC)):
                    for what, number in source.not_stored.items():
                        found.not_stored[what] = found.not_stored.get(what, 0) + number
    except WarehouseMissingError:
        pass  # before the first load all there is waits
    known = {(copy.file, copy.line) for copy in found.copies}
    found.copies += [copy for copy in waiting if (copy.file, copy.line) not in known]
    found.copies.sort(key=lambda copy: (str(copy.received_at or ""), copy.file, copy.line))
    return found


def _received(copy: Copy) -> str:
    when = f"{copy.received_at:%Y-%m-%d %H:%M:%S.%f} UTC" if copy.received_at else "an unknown time"
    by = f" with a {copy.credential} key" if copy.credential else ""
    sent = f", sent at {copy.sent_at}" if copy.sent_at else ""
    return f"{copy.call}, received {when} from {copy.source or 'an unknown source'}{by}{sent}"


def _became(copy: Copy, row: Copy | None, schema: str, not_modelled: list[str]) -> str:
    if copy.load_id is None:
        return "waits to be loaded"
    at = f" at {copy.loaded_at:%Y-%m-%d %H:%M:%S} UTC" if copy.loaded_at else ""
    return f"load {copy.load_id}{at}: {_shown(copy, row, f'{schema}.{copy.call}', not_modelled)}"


def _shown(copy: Copy, row: Copy | None, table: str, not_modelled: list[str]) -> str:
    if copy.reason is not None:
        return f"rejected, {copy.reason}"
    if copy.is_row:
        return f"the row in {table}"
    if row is not None:
        return f"a copy of the row, which is line {row.line} of {row.file}"
    if copy.call not in WITH_TABLE:
        return f"raw.{copy.call}, which has no final table"
    if copy.call in not_modelled:
        return f"not in {table} yet: its models run next"
    return (
        f"NOT in {table}: columns.yml leaves the table out, or something is wrong; "
        "`seamline verify` says which"
    )


Columns = Mapping[str, Collection[str]]
"""Table → its columns, of a schema."""


def _loaded(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    message_id: str,
    raw: Columns,
    final: Columns,
) -> Iterator[Copy]:
    rows = con.execute(
        " union all ".join(
            f"select {_selected(raw[call])}, '{call}' from raw.\"{call}\" where message_id = $1"
            for call in CALLS
            if call in raw
        ),
        [message_id],
    ).fetchall()
    for call in {row[-1] for row in rows}:
        own = [row[:-1] for row in rows if row[-1] == call]
        loads = {row[_COLUMNS.index("load_id")] for row in own}
        row = _row(con, settings, call, message_id, loads) if call in final else None
        for values in own:
            yield _copy(con, settings, call, values, row)


def _row(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    call: str,
    message_id: str,
    loads: Collection[int],
) -> tuple[str, int] | None:
    """File and line of the copy that a final table shows, which is of one of these loads."""
    return con.execute(
        f'select _seamline_file, _seamline_line from "{settings.schema_name}"."{call}" '
        f"where message_id = $1 and _seamline_load_id in ({', '.join(map(str, loads))})",
        [message_id],
    ).fetchone()


def _rejected(
    con: duckdb.DuckDBPyConnection, settings: Settings, message_id: str, raw: Columns
) -> Iterator[Copy]:
    """Those of whose bytes the id is a part, as JSON writes it."""
    rows = con.execute(
        f"""
        select {_selected(raw.get(REJECTED, ()))}, coalesce(call, 'unknown'), reason
        from raw.rejected
        -- as text, as a blob knows no search; what is no ASCII is escaped in it, as in the pattern
        where contains(body::varchar, $1::varchar)
        """,
        [msgspec.json.encode(message_id)],
    ).fetchall()
    for *values, call, reason in rows:
        yield _copy(con, settings, call, tuple(values), reason=reason)


def _copy(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    call: str,
    values: tuple[Any, ...],
    row: tuple[str, int] | None = None,
    reason: str | None = None,
) -> Copy:
    known = dict(zip(_COLUMNS, values, strict=True))
    known["sent_at"] = _as_time(known["sent_at"])
    folder, loaded_at = con.execute(
        "select call, loaded_at from raw.landed_file where file = $file and load_id = $load_id",
        {name: known[name] for name in ("file", "load_id")},
    ).fetchone() or (call, None)
    return Copy(
        call,
        **known,
        place=_place(settings.landing, folder, known["file"]),
        loaded_at=loaded_at,
        reason=reason,
        is_row=row == (known["file"], known["line"]),
    )


def _as_time(text: str | None) -> str | None:
    """What a sender wrote, if it is written as a time: it may have written anything."""
    return text if text is not None and _TIME.fullmatch(text) else None


def _selected(there: Collection[str]) -> str:
    """The columns of a copy; one that came with a later version than the warehouse is null."""
    return ", ".join(name if name in there else f"null as {name}" for name in _COLUMNS)


def _place(landing: Path, folder: str, name: str) -> str:
    """Where a file that was loaded is."""
    for path in (landing / archive.LOADED / folder / name, landing / folder / name):
        if path.exists():
            return str(path)
    packed = archive.archives_of_hour(landing, folder, archive.hour_of(name))
    if packed:
        return f"{name} in {' or '.join(map(str, packed))}"
    if archive.Expired(landing).among([f"{folder}/{name}"]):
        return f"{name}, which is no more: its archive has expired"
    return f"{name}, which is MISSING: neither loaded nor packed nor expired"


def _not_modelled(
    con: duckdb.DuckDBPyConnection, settings: Settings, copies: list[Copy], final: Columns
) -> list[str]:
    """The calls of loaded copies of which a table that is there does not have that load yet."""
    newest = {copy.call: copy.load_id or 0 for copy in copies if copy.reason is None}
    behind = []
    for call, load_id in newest.items():
        if call not in final:
            behind.append(call)
            continue
        row = con.execute(
            f'select coalesce(max(_seamline_load_id), 0) from "{settings.schema_name}"."{call}"'
        ).fetchone()
        if row and row[0] < load_id:
            behind.append(call)
    return behind


def _waiting(landing: Path, message_id: str) -> Iterator[Copy]:
    written = msgspec.json.encode(message_id)
    for path in waiting_files(landing):
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed or loaded since it was listed: the next look has it
            continue
        folder = path.parent.name
        if folder != REJECTED and written not in data:
            continue
        contents = parse(LandedFile(path, folder), data[: data.rfind(b"\n") + 1])
        for line in contents.lines:
            if line.message_id == message_id:
                yield _waits(path, folder, line)
        for reject in contents.rejects:
            if written in reject.body:
                yield _waits(path, reject.call or "unknown", reject, reject.reason)


def _waits(path: Path, call: str, line: Line | Reject, reason: str | None = None) -> Copy:
    return Copy(
        call,
        line.source,
        line.credential,
        datetime.fromisoformat(line.received_at).replace(tzinfo=None) if line.received_at else None,
        _as_time(line.sent_at),
        load_id=None,
        file=path.name.removesuffix(".open"),
        line=line.line,
        place=str(path),
        reason=reason,
    )
