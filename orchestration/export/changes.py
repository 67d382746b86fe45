"""What has changed in a final table since it was last exported, found without reading all of it.

A table is cut by when its rows were received, into days or hours. A row that comes, or takes the
place of another, is in a Parquet file that was not there before; where rows only went, their part
has fewer. So the parts to look at are those with rows in new files, and those whose number of rows
is another. Upkeep writes files anew with the same rows: a part whose rows are the same as before,
by a hash over all of them, is not exported again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import duckdb
import msgspec

from orchestration.warehouse.catalog import DATABASE, column_types_in, full_name

Unit = Literal["day", "hour"]

RECEIVED_AT = "_sdc_received_at"
ROWS_AT_ONCE = 1_000_000

HASH_OF_ALL = "format('{:x}', bit_xor(hash(one))) || format('-{:x}', sum(hash(one) >> 32))"
"""SQL of a hash over all rows `one`, in any order; what they share cancels out of the xor alone."""


class Part(msgspec.Struct, frozen=True):
    """The rows of a day or an hour, as they were exported.

    Attributes:
        rows: how many.
        hash: a hash over all of them, whatever their order.
    """

    rows: int
    hash: str


class State(msgspec.Struct):
    """What was exported of a table; kept where it was exported to.

    Attributes:
        columns: the columns with their types, as DuckLake writes them.
        files: the Parquet files that the table had, by name.
        parts: by the start of the day or hour, in UTC and as ISO 8601 writes it.
    """

    columns: dict[str, str] = {}
    files: list[str] = []
    parts: dict[str, Part] = {}


@dataclass(frozen=True)
class Changes:
    """What is to be exported.

    Attributes:
        columns: the columns that the table has now.
        files: its files.
        changed: the parts to write, with what is in them, the oldest first.
        gone: the parts that have no rows any more.
    """

    columns: dict[str, str]
    files: list[str]
    changed: dict[str, Part]
    gone: list[str]

    def portions(self, rows: int = ROWS_AT_ONCE) -> Iterator[dict[str, Part]]:
        """The parts to write in portions of so many rows, a part at least in each."""
        portion: dict[str, Part] = {}
        for start, part in self.changed.items():
            if portion and sum(one.rows for one in portion.values()) + part.rows > rows:
                yield portion
                portion = {}
            portion[start] = part
        if portion:
            yield portion


@dataclass
class Exported:
    """What was done with a table.

    Attributes:
        rows: how many rows were written.
        parts: how many days or hours were written.
        gone: how many were removed, as they have no rows any more.
        total: how many rows are there now.
    """

    rows: int = 0
    parts: int = 0
    gone: int = 0
    total: int = 0

    def __str__(self) -> str:
        """What was done, in a line."""
        if not self.parts and not self.gone:
            return "nothing has changed"
        removed = f", {self.gone} removed" if self.gone else ""
        return f"{self.rows} rows in {self.parts} parts written{removed}"


def changes(
    con: duckdb.DuckDBPyConnection,
    schema: str,
    table: str,
    unit: Unit,
    known: State,
    at: str = RECEIVED_AT,
) -> Changes:
    """Compare a table with what was exported of it.

    Args:
        con: The warehouse.
        schema: The schema of the table.
        table: The table; it has to be there.
        unit: Into what it is cut.
        known: What was exported.
        at: The column by which it is cut.
    """
    name = full_name(schema, table)
    columns = column_types_in(con, schema)[table]
    files = _files(con, schema, table)
    counts = _counts(con, name, unit, at)
    if _others(known.columns, columns):
        to_look_at = set(counts)
    else:
        new = sorted(files.keys() - set(known.files))
        to_look_at = {start for start, rows in counts.items() if _rows(known, start) != rows}
        to_look_at |= _starts_in(con, name, unit, at, [files[file] for file in new])
    hashes = _parts(con, name, unit, at, to_look_at)
    changed = {
        start: part
        for start, part in sorted(hashes.items())
        if known.parts.get(start) != part or known.columns != columns
    }
    gone = sorted(known.parts.keys() - counts.keys())
    return Changes(columns, sorted(files), changed, gone)


def rows_of(name: str, unit: Unit, starts: Iterable[str], at: str = RECEIVED_AT) -> str:
    """SQL of the rows of some parts of a table, which is named in full and quoted."""
    listed = ", ".join(f"timestamp '{start}'" for start in starts)
    return f"from {name} where date_trunc('{unit}', {at}) in ({listed})"


def _rows(known: State, start: str) -> int:
    part = known.parts.get(start)
    return part.rows if part else 0


def _others(known: dict[str, str], columns: dict[str, str]) -> bool:
    """Whether a column that was exported is gone, or of another type; new ones are in new rows."""
    return any(columns.get(name) != kind for name, kind in known.items())


def _files(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> dict[str, str]:
    """The files of a table: name → path. A file of which rows were deleted has another name."""
    rows = con.execute(
        """
        select
            parse_filename(data_file)
                || coalesce(' without ' || parse_filename(delete_file), ''),
            data_file
        from ducklake_list_files($1, $2, schema => $3)
        """,
        [DATABASE, table, schema],
    ).fetchall()
    return dict(rows)


def _counts(con: duckdb.DuckDBPyConnection, name: str, unit: Unit, at: str) -> dict[str, int]:
    rows = con.execute(
        f"select date_trunc('{unit}', {at}), count(*) from {name} group by all"  # noqa: S608 - quoted
    ).fetchall()
    return {_start(start): count for start, count in rows}


def _starts_in(
    con: duckdb.DuckDBPyConnection, name: str, unit: Unit, at: str, paths: list[str]
) -> set[str]:
    if not paths:
        return set()
    listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    rows = con.execute(
        f"""
        select distinct date_trunc('{unit}', {at}) from {name}
        where filename in ({listed})
        """  # noqa: S608 - quoted
    ).fetchall()
    return {_start(at) for (at,) in rows}


def _parts(
    con: duckdb.DuckDBPyConnection, name: str, unit: Unit, at: str, starts: set[str]
) -> dict[str, Part]:
    if not starts:
        return {}
    rows = con.execute(
        f"""
        select date_trunc('{unit}', {at}), count(*),
            {HASH_OF_ALL}
        from ({rows_of(name, unit, sorted(starts), at)}) as one
        group by all
        """  # noqa: S608 - quoted
    ).fetchall()
    return {_start(start): Part(count, digest) for start, count, digest in rows}


def _start(at: datetime) -> str:
    return datetime(at.year, at.month, at.day, getattr(at, "hour", 0)).isoformat()  # noqa: DTZ001 - UTC, as all times of the tables
