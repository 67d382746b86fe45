"""`raw.not_stored`: in the warehouse what the receiver has counted of events it did not store.

The receiver's counts of an hour grow, in a file for each day (`landed/not_stored.py`). Here they
are rows that add up, so that none is ever changed.
"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from landed import not_stored

LOOK_SECONDS = 60.0
"""Between two looks of one process at the files."""

_GROW = timedelta(days=1)
"""So old counts may still grow."""

_looked: dict[Path, float] = {}


def add_now_and_then(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Add what is new, once a minute at most; all there is the first time, later what may grow.

    In an open transaction; if it is rolled back, `look_again`.
    """
    last = _looked.get(landing)
    now = time.monotonic()
    if last is None or now - last >= LOOK_SECONDS:
        _looked[landing] = now
        add(con, landing, None if last is None else datetime.now(UTC) - _GROW)


def look_again(landing: Path) -> None:
    """Look at all there is the next time: what was added may not be there."""
    _looked.pop(landing, None)


def add(con: duckdb.DuckDBPyConnection, landing: Path, since: datetime | None = None) -> None:
    """Add what was counted and is not in the table yet; in an open transaction.

    Args:
        con: The warehouse.
        landing: The landing folder.
        since: A time in the first day that is looked at; all of them if there is none.
    """
    counted = {
        (source, hour, reason): number
        for hour, counts in not_stored.by_hour(landing, since).items()
        for source, reasons in counts.items()
        for reason, number in reasons.items()
    }
    if not counted:
        return
    first = min(hour for _, hour, _ in counted)
    known = con.execute(
        "select source, hour, reason, sum(number)::bigint from raw.not_stored "
        "where hour >= $1 group by all",
        [first],
    ).fetchall()
    for *key, number in known:
        source, hour, reason = key
        counted[source, hour, reason] = counted.get((source, hour, reason), number) - number
    new = [(*key, number) for key, number in counted.items() if number]
    if new:
        con.register("not_stored", pa.table(list(zip(*new, strict=True)), list(_COLUMNS)))
        con.execute("insert into raw.not_stored by name from not_stored")
        con.unregister("not_stored")


def put_together(con: duckdb.DuckDBPyConnection) -> None:
    """Make one row of the rows of each count, where they are many; in an open transaction."""
    ((rows, counts),) = con.execute(
        "select count(*), count(distinct (source, hour, reason)) from raw.not_stored"
    ).fetchall()
    if rows > 2 * counts + _FEW:
        con.execute(
            "create or replace temp table together as "
            "select source, hour, reason, sum(number)::bigint as number "
            "from raw.not_stored group by all"
        )
        con.execute("delete from raw.not_stored")
        con.execute("insert into raw.not_stored by name from together")
        con.execute("drop table together")


_FEW = 1_000

_COLUMNS = ("source", "hour", "reason", "number")
