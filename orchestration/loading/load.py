"""One pass over the sealed files: rows, rejects and ledger lines in one transaction."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from orchestration.loading import landed_file
from orchestration.loading.fields import add_fields, note_fields
from orchestration.loading.landed_file import Contents, LandedFile
from orchestration.loading.tables import CALLS, FOLDERS, create_raw_tables
from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from orchestration.settings import Settings

log = logging.getLogger(__name__)

LOADED = "loaded"

_TEXT = pa.large_string()
_EVENT_SCHEMA = pa.schema(
    {
        "message_id": _TEXT,
        "received_at": _TEXT,
        "sent_at": _TEXT,
        "source": _TEXT,
        "payload": _TEXT,
        "file": _TEXT,
        "line": pa.int64(),
    }
)
_REJECT_SCHEMA = pa.schema(
    {
        "message_id": _TEXT,
        "received_at": _TEXT,
        "sent_at": _TEXT,
        "source": _TEXT,
        "call": _TEXT,
        "reason": _TEXT,
        "body": pa.large_binary(),
        "file": _TEXT,
        "line": pa.int64(),
    }
)

# A line whose checksum holds is what the receiver wrote; that DuckDB can read it too is proved
# here, so that no event can ever stop a model downstream.
_USABLE = "json_valid(payload) and try_cast(received_at as timestamptz) is not null"


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


def load(settings: Settings, folders: tuple[str, ...] = FOLDERS) -> Loaded:
    """Load every sealed file of some folders, then move the files to `loaded/`.

    The files go in transactions of at most `SEAMLINE_LOAD_BYTES`, each with its own `load_id`. In
    one transaction are the rows, the rejects and the ledger lines of its files, so that a death at
    any point leaves each file either loaded or waiting; a file the ledger knows is only moved.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was loaded.
    """
    loaded = Loaded()
    with writer_lock(settings), connect(settings) as con:
        create_raw_tables(con)
        waiting = landed_file.sealed_files(settings.landing, folders)
        for files in _portions(waiting, settings.load_bytes):
            _load_portion(con, settings.landing, files, loaded)
    return loaded


def _portions(files: Iterable[LandedFile], budget: int) -> Iterator[list[LandedFile]]:
    portion: list[LandedFile] = []
    size = 0
    for file in files:
        file_size = file.path.stat().st_size
        if portion and size + file_size > budget:
            yield portion
            portion, size = [], 0
        portion.append(file)
        size += file_size
    if portion:
        yield portion


def _load_portion(
    con: duckdb.DuckDBPyConnection, landing: Path, files: list[LandedFile], loaded: Loaded
) -> None:
    portion = [landed_file.read(file) for file in files]
    known = _known_checksums(con, files)
    new = [contents for contents in portion if contents.file.name not in known]
    if new:
        _insert(con, new, loaded)
    for contents in portion:
        name = contents.file.name
        if known.get(name, contents.sha256) == contents.sha256:
            _move_to_loaded(landing, contents.file)
        else:
            _put_aside(contents.file)
            loaded.conflicts.append(name)


def _known_checksums(con: duckdb.DuckDBPyConnection, files: list[LandedFile]) -> dict[str, str]:
    names = pa.table({"file": pa.array([file.name for file in files], _TEXT)})
    con.register("portion", names)
    found = con.execute("select file, sha256 from raw.landed_file semi join portion using (file)")
    known = dict(found.fetchall())
    con.unregister("portion")
    return known


def _insert(con: duckdb.DuckDBPyConnection, portion: list[Contents], loaded: Loaded) -> None:
    con.execute("begin")
    try:
        load_id = next_load_id(con)
        unusable: Counter[str] = Counter()
        noted: list[pa.Table] = []
        for call in CALLS:
            of_call = [contents for contents in portion if contents.file.call == call]
            unusable += insert_events(con, call, of_call, load_id, noted)
        if noted:
            add_fields(con, load_id, noted)
        _insert_rejects(con, portion, load_id)
        _insert_ledger(con, portion, unusable, load_id)
        con.execute("commit")
    except BaseException:
        con.rollback()
        raise
    loaded.load_ids.append(load_id)
    loaded.files += len(portion)
    loaded.rejected += unusable.total()
    for contents in portion:
        loaded.rows[contents.file.call] += len(contents.lines.line) - unusable[contents.file.name]
        loaded.rejected += len(contents.rejects.line)
    log.info("load %d: %d files, %s", load_id, len(portion), dict(loaded.rows))


def next_load_id(con: duckdb.DuckDBPyConnection) -> int:
    """The number of the load that begins."""
    row = con.execute("select coalesce(max(load_id), 0) + 1 from raw.landed_file").fetchone()
    return int(row[0]) if row else 1


def insert_events(
    con: duckdb.DuckDBPyConnection,
    call: str,
    portion: list[Contents],
    load_id: int,
    noted: list[pa.Table],
) -> Counter[str]:
    """Insert the events of one call; what DuckDB cannot read goes to the rejects.

    The fields they have are appended to `noted`, for `add_fields`.

    Returns:
        How many lines of each file went there.
    """
    if not any(contents.lines.line for contents in portion):
        return Counter()
    con.register("events", _table(portion, "lines", _EVENT_SCHEMA))
    con.execute(
        f"""
        create or replace temp view usable_events as
        select * replace (timezone('UTC', received_at::timestamptz) as received_at)
        from events where {_USABLE}
        """  # noqa: S608 - a condition of our own
    )
    con.execute(
        f"""
        insert into raw."{call}"
        select message_id, received_at, sent_at, source, payload::json, ?, file, line
        from usable_events
        """,  # noqa: S608 - call is one of our own words
        [load_id],
    )
    noted.append(note_fields(con, call))
    con.execute(
        f"""
        insert into raw.rejected
        select message_id, timezone('UTC', try_cast(received_at as timestamptz)), sent_at, source,
            ?, 'bad_json', encode(payload), ?, file, line
        from events where not ({_USABLE})
        """,  # noqa: S608 - as above
        [call, load_id],
    )
    counted = con.execute(
        f"select file, count(*) from events where not ({_USABLE}) group by file"  # noqa: S608
    ).fetchall()
    con.execute("drop view usable_events")
    con.unregister("events")
    return Counter(dict(counted))


def _insert_rejects(con: duckdb.DuckDBPyConnection, portion: list[Contents], load_id: int) -> None:
    if not any(contents.rejects.line for contents in portion):
        return
    con.register("rejects", _table(portion, "rejects", _REJECT_SCHEMA))
    con.execute(
        """
        insert into raw.rejected
        select message_id, timezone('UTC', try_cast(received_at as timestamptz)), sent_at, source,
            call, reason, body, ?, file, line
        from rejects
        """,
        [load_id],
    )
    con.unregister("rejects")


def _insert_ledger(
    con: duckdb.DuckDBPyConnection, portion: list[Contents], unusable: Counter[str], load_id: int
) -> None:
    ledger = pa.table(
        {
            "file": [contents.file.name for contents in portion],
            "call": [contents.file.call for contents in portion],
            "bytes": [contents.bytes for contents in portion],
            "sha256": [contents.sha256 for contents in portion],
            "rows": [
                len(contents.lines.line) - unusable[contents.file.name] for contents in portion
            ],
            "rejected": [
                len(contents.rejects.line) + unusable[contents.file.name] for contents in portion
            ],
        }
    )
    con.register("ledger", ledger)
    con.execute(
        "insert into raw.landed_file select *, ?, timezone('UTC', now()) from ledger", [load_id]
    )
    con.unregister("ledger")


def _table(portion: list[Contents], part: str, schema: pa.Schema) -> pa.Table:
    """The `lines` or `rejects` of several files as one Arrow table, with their file's name."""
    columns = {}
    for name in schema.names:
        if name == "file":
            values = chain.from_iterable(
                [contents.file.name] * len(getattr(contents, part).line) for contents in portion
            )
        else:
            values = chain.from_iterable(
                getattr(getattr(contents, part), name) for contents in portion
            )
        columns[name] = list(values)
    return pa.table(columns, schema=schema)


def _move_to_loaded(landing: Path, file: LandedFile) -> None:
    target = landing / LOADED / file.call
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.path.rename(target / file.name)


def _put_aside(file: LandedFile) -> None:
    aside = file.path.with_suffix(".ndjson.conflict")
    file.path.rename(aside)
    log.error(
        "%s was loaded before with other contents. It is not loaded again but kept as %s: "
        "compare it with the one in loaded/ to see which is right.",
        file.name,
        aside,
    )
