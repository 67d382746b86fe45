"""What was erased of whom, by hash: in `raw.erasure`, and in the list beside the files."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.loading import suppressed
from orchestration.loading.insert import table_of
from orchestration.loading.people import Found, Person
from orchestration.loading.suppressed import Order

_COLUMNS = pa.schema(
    {
        "erased_at": pa.timestamp("us"),
        "kind": pa.string(),
        "hash": pa.string(),
        "lines": pa.int64(),
        "files": pa.int64(),
        "ordered_by": pa.string(),
        "source": pa.string(),
        "ordered_at": pa.timestamp("us"),
        "credential": pa.string(),
    }
)


def note(
    con: duckdb.DuckDBPyConnection,
    people: Iterable[Person],
    found: Found,
    orders: Mapping[Person, Order],
) -> None:
    """Note in `raw.erasure` what was found of each person, in an open transaction."""
    lines: Counter[Person] = Counter()
    for (person, _), number in found.items():
        lines[person] += number
    files = Counter(person for person, _ in found)
    now = datetime.now(UTC)
    _insert(con, [(now, *one, lines[one], files[one], *orders[one]) for one in people])


def finish(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Mark those as done, in the list, of whom `raw.erasure` says so."""
    begun = min((entry.at for entry in suppressed.to_be_done(landing)), default=None)
    rows = con.execute(
        "select kind, hash, erased_at, lines, files from raw.erasure "
        "where erased_at >= $1::timestamptz at time zone 'UTC'",
        [begun],
    ).fetchall()
    done = [(Person(kind, digest), at.replace(tzinfo=UTC), *of) for kind, digest, at, *of in rows]
    suppressed.finish(landing, done)


def bring_back(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Give a new warehouse the record of past erasures, from the list."""
    if not con.execute("from raw.erasure limit 1").fetchone():
        done = [entry for entry in suppressed.entries(landing) if entry.done_at]
        _insert(con, [(one.done_at, *one.person, one.lines, one.files, *one.order) for one in done])


def _insert(con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    con.register("record", table_of(rows, _COLUMNS))
    con.execute("insert into raw.erasure by name from record")
    con.unregister("record")
