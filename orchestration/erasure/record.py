"""What was erased of whom, by hash: in `raw.erasure`, and in the list beside the files."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.loading import suppressed
from orchestration.loading.insert import table_of
from orchestration.loading.people import Found, People, Person

_COLUMNS = pa.schema(
    {
        "erased_at": pa.timestamp("us"),
        "kind": pa.string(),
        "hash": pa.string(),
        "lines": pa.int64(),
        "files": pa.int64(),
    }
)


def note(con: duckdb.DuckDBPyConnection, people: People, found: Found) -> None:
    """Note in `raw.erasure` what was found of each person, in an open transaction."""
    lines: Counter[Person] = Counter()
    for (person, _), number in found.items():
        lines[person] += number
    files = Counter(person for person, _ in found)
    now = datetime.now(UTC)
    _insert(con, [(now, *one, lines[one], files[one]) for one in people.people])


def finish(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Mark those as done, in the list, of whom `raw.erasure` says so."""
    rows = con.execute("select kind, hash, erased_at, lines, files from raw.erasure").fetchall()
    done = [(Person(kind, digest), at.replace(tzinfo=UTC), *of) for kind, digest, at, *of in rows]
    suppressed.finish(landing, done)


def bring_back(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Give a new warehouse the record of past erasures, from the list."""
    if not con.execute("from raw.erasure limit 1").fetchone():
        done = [entry for entry in suppressed.entries(landing) if entry.done_at]
        _insert(con, [(one.done_at, *one.person, one.lines, one.files) for one in done])


def _insert(con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    con.register("record", table_of(rows, _COLUMNS))
    con.execute("insert into raw.erasure by name from record")
    con.unregister("record")
