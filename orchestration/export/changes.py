"""What has changed in a final table since it was last exported, found without reading all of it.

A table is cut by when its rows were received, into days or hours. A row that comes, or takes the
place of another, is in a Parquet file that was not there before; where rows only went, their part
has fewer. So the parts to look at are those with rows in new files, and those whose number of rows
is another. Upkeep writes files anew with the same rows: a part whose rows are the same as before,
by a hash over all of them, is not exported again. What is null is not in the hash, and a number has
the same one as a fraction: so a column that comes, or becomes double, changes no other part.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import duckdb
import msgspec

from orchestration.export.snapshot import TableSnapshot
from orchestration.warehouse.catalog import DATABASE, literal, quoted

Unit = Literal["day", "hour"]

RECEIVED_AT = "_sdc_received_at"
ROWS_AT_ONCE = 1_000_000


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
    left_out: list[str] = field(default_factory=list)
    """The parts that were not taken."""
    problems: list[str] = field(default_factory=list)
    """What was not taken, and why, each in a line."""

    def __str__(self) -> str:
        """What was done, in a line."""
        left_out = f", {len(self.left_out)} left out" if self.left_out else ""
        if not self.parts and not self.gone:
            return f"nothing has changed{left_out}"
        removed = f", {self.gone} removed" if self.gone else ""
        return f"{self.rows} rows in {self.parts} parts written{removed}{left_out}"


def changes(
    of: TableSnapshot,
    unit: Unit,
    known: State,
    *,
    in_place: Callable[[str, str], bool],
    everywhere: Collection[str] = (),
    at: str = RECEIVED_AT,
) -> Changes:
    """Compare a table with what was exported of it.

    Args:
        of: The table, in a snapshot.
        unit: Into what it is cut.
        known: What was exported.
        in_place: Whether a column of one type is given another without its rows being written.
        everywhere: The columns that are written with a part though they are null in all of it.
        at: The column by which it is cut.
    """
    con, name, columns = of.con, of.name, of.columns
    files = _files(of)
    counts = _counts(con, name, unit, at)
    others = {one for one, kind in known.columns.items() if columns.get(one) != kind}
    retyped = others & columns.keys()
    written = {one for one in retyped if not in_place(known.columns[one], columns[one])}
    if others & set(everywhere) - (retyped - written):
        to_write = set(counts)
    else:
        to_write = _starts(con, name, unit, at, _is_filled(written)) if written else set()
    if others - retyped:  # whoever had a value in it is not known
        to_look_at = set(counts)
    else:
        new = [files[file] for file in sorted(files.keys() - set(known.files))]
        to_look_at = {start for start, rows in counts.items() if _rows(known, start) != rows}
        if new:
            named = f"filename in ({', '.join(map(literal, new))})"
            to_look_at |= _starts(con, name, unit, at, named)
        if retyped:
            to_look_at |= _starts(con, name, unit, at, _is_filled(retyped))
    hashes = _parts(con, name, unit, at, to_look_at | to_write, columns)
    changed = {
        start: part
        for start, part in sorted(hashes.items())
        if known.parts.get(start) != part or start in to_write
    }
    gone = sorted(known.parts.keys() - counts.keys())
    return Changes(columns, sorted(files), changed, gone)


def rows_of(name: str, unit: Unit, starts: Iterable[str], at: str = RECEIVED_AT) -> str:
    """SQL of the rows of some parts of a table, which is named as SQL has it behind `from`."""
    listed = ", ".join(f"timestamp '{start}'" for start in starts)
    return f"from {name} where date_trunc('{unit}', {at}) in ({listed})"


def _rows(known: State, start: str) -> int:
    part = known.parts.get(start)
    return part.rows if part else 0


def _files(of: TableSnapshot) -> dict[str, str]:
    """The files of a table: name → path. A file of which rows were deleted has another name."""
    rows = of.con.execute(
        """
        select
            parse_filename(data_file)
                || coalesce(' without ' || parse_filename(delete_file), ''),
            data_file
        from ducklake_list_files($1, $2, schema => $3, snapshot_version => $4)
        """,
        [DATABASE, of.table, of.schema, of.version],
    ).fetchall()
    return dict(rows)


def _counts(con: duckdb.DuckDBPyConnection, name: str, unit: Unit, at: str) -> dict[str, int]:
    rows = con.execute(
        f"select date_trunc('{unit}', {at}), count(*) from {name} group by all"  # noqa: S608 - quoted
    ).fetchall()
    return {_start(start): count for start, count in rows}


def _starts(con: duckdb.DuckDBPyConnection, name: str, unit: Unit, at: str, which: str) -> set[str]:
    """The parts of which some row is such."""
    rows = con.execute(
        f"select distinct date_trunc('{unit}', {at}) from {name} where {which}"  # noqa: S608 - quoted
    ).fetchall()
    return {_start(start) for (start,) in rows}


def _is_filled(columns: Iterable[str]) -> str:
    """SQL of whether a row has a value in one of some columns."""
    return (
        f"coalesce({', '.join(f'{quoted(one)}::varchar' for one in sorted(columns))}) is not null"
    )


def _parts(
    con: duckdb.DuckDBPyConnection,
    name: str,
    unit: Unit,
    at: str,
    starts: set[str],
    columns: dict[str, str],
) -> dict[str, Part]:
    if not starts:
        return {}
    rows = con.execute(
        f"""
        select start, count(*), format('{{:x}}', bit_xor(one)) || format('-{{:x}}', sum(one >> 32))
        from (
            select date_trunc('{unit}', {at}) as start, {_hash(columns)} as one
            {rows_of(name, unit, sorted(starts), at)}
        )
        group by all
        """  # noqa: S608 - quoted
    ).fetchall()
    return {_start(start): Part(count, digest) for start, count, digest in rows}


def _hash(columns: dict[str, str]) -> str:
    """SQL of a row's hash, over the names and values of what it has."""
    parts = [_hash_of_value(column, kind) for column, kind in columns.items()]
    while len(parts) > 1:  # a tree, as DuckDB takes no expression that is 1,000 deep
        pairs = [parts[at : at + 2] for at in range(0, len(parts), 2)]
        parts = [f"xor({', '.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return f"hash({parts[0]})"


def _hash_of_value(column: str, kind: str) -> str:
    name, said = quoted(column), literal(column)
    # twice, as values that change places would else cancel out
    value = f"hash(hash({said}, {name}))"
    if kind == "float64":
        whole = f"{name} = trunc({name}) and abs({name}) < 9223372036854775808"
        as_whole = f"hash(hash({said}, cast({name} as bigint)))"
        value = f"case when {whole} then {as_whole} else {value} end"
    return f"case when {name} is null then 0::ubigint else {value} end"


def _start(at: datetime) -> str:
    return datetime(at.year, at.month, at.day, getattr(at, "hour", 0)).isoformat()  # noqa: DTZ001 - UTC, as all times of the tables
