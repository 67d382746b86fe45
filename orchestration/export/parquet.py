"""The final tables as Parquet files, one for each table and day of receipt.

`<table>/received_date=<day>/rows.parquet`, as Hive has it and as every engine reads it. A file is
written anew when a row of its day has changed, and is whole at any moment. Beside them
`<table>/_seamline.json` says what is in them; it is written behind them, so that a death in between
has the same files written once more.

A file has the documented columns, and of the others those that have a value in its day. So where a
column becomes double no file has it as it was, though only the days with a value are written.
A sender's `received_date` is `received_date_` there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from orchestration.export.changes import RECEIVED_AT, Exported, State, changes, rows_of
from orchestration.export.names import is_documented
from orchestration.export.places import Place
from orchestration.export.snapshot import TableSnapshot
from orchestration.warehouse.catalog import literal, quoted

STATE = "_seamline.json"
FILE = "rows.parquet"
DAY = "received_date"
"""What the folders of days are named by, which to readers is a column as well."""


@dataclass(frozen=True)
class Layout:
    """Where the files of a table are, and what is in them.

    Attributes:
        folder: below the place.
        file: the name of a day's file, with `{day}` in it.
        at: the column by which the table is cut.
        order: the columns that its rows are ordered by.
        columns: what is selected, as SQL has it; if none is, the documented columns, and of the
            others those with a value in a file.
        has_all: whether one file is there with every column and no rows.
    """

    folder: str
    file: str = f"{DAY}={{day}}/{FILE}"
    at: str = RECEIVED_AT
    order: str = f"{RECEIVED_AT}, message_id"
    columns: str = ""
    has_all: bool = False

    def name(self, start: str) -> str:
        """The file of the day that begins then."""
        return f"{self.folder}/{self.file.format(day=start[:10])}"

    @property
    def empty(self) -> str:
        """The file that has the columns, and no row."""
        return f"{self.folder}/no-rows.parquet"

    @property
    def state(self) -> str:
        """What says what is in the files."""
        return f"{self.folder}/{STATE}"


def export(of: TableSnapshot, place: Place, layout: Layout | None = None) -> Exported:
    """Bring the files of a table up to date.

    Args:
        of: The table, in a snapshot.
        place: Where the files are.
        layout: How they are laid out; as final tables if not given.

    Raises:
        SnapshotExpiredError: nothing is written of it any more.
        StoreError: the bucket cannot be used; the next export does what is left.
    """
    layout = layout or Layout(of.table)
    known = read_state(place, layout.state)
    there = {name for name in place.names(layout.folder) if name.endswith(".parquet")}
    if layout.has_all:
        known = _of_these_columns(of, place, layout, known, there)
        there.discard(layout.empty)
    known.parts = {
        start: part for start, part in known.parts.items() if layout.name(start) in there
    }
    every = {*known.columns, *of.columns}
    always = {one for one in every if layout.has_all or is_documented(of.table, one)}
    found = changes(of, "day", known, in_place=_never, everywhere=always, at=layout.at)
    done = Exported()
    written = State(known.columns, known.files, known.parts)
    for portion in found.portions():
        for start, part in portion.items():
            rows = rows_of(of.name, "day", [start], layout.at)
            columns = layout.columns or _columns(of, rows, always)
            place.fill(layout.name(start), partial(_copy, of, rows, columns, layout.order))
            written.parts[start] = part
            done.rows += part.rows
            done.parts += 1
        keep_state(place, layout.state, written)
    for start in found.gone:
        del written.parts[start]
    # also those of an export that died before it noted them
    for name in sorted(there - {layout.name(start) for start in written.parts}):
        place.remove(name)
        done.gone += 1
    if (found.columns, found.files) != (known.columns, known.files) or done.gone:
        keep_state(place, layout.state, State(found.columns, found.files, written.parts))
    done.total = sum(part.rows for part in written.parts.values())
    return done


def _never(*_: str) -> bool:
    return False


def _columns(of: TableSnapshot, rows: str, always: Collection[str]) -> str:
    """The columns that a file of some rows has, as SQL."""
    filled = ", ".join(f"count({quoted(one)}) > 0" for one in of.columns)
    (row,) = of.con.execute(f"select {filled} {rows}").fetchall()
    return ", ".join(
        f"{quoted(one)} as {quoted(_name(one, of.columns))}"
        for one, is_filled in zip(of.columns, row, strict=True)
        if is_filled or one in always
    )


def _name(column: str, columns: Collection[str]) -> str:
    """What a column is called in a file: as the day is, none may be, or it would hide the day."""
    name = column
    while name.lower() == DAY or (name != column and name in columns):
        name += "_"
    return name


def _of_these_columns(
    of: TableSnapshot, place: Place, layout: Layout, known: State, there: set[str]
) -> State:
    """What was exported, if it has the columns that the table has; else all is written anew."""
    if layout.empty in there and known.columns == of.columns:
        return known
    rows = f"from {of.name} where false"
    place.fill(layout.empty, partial(_copy, of, rows, layout.columns or "*", layout.order))
    return State(of.columns, [], {})


def _copy(of: TableSnapshot, rows: str, columns: str, order: str, path: Path) -> None:
    of.con.execute(
        f"copy (select {columns} {rows} order by {order}) "
        f"to {literal(str(path))} (format parquet, compression zstd)"
    )
    of.check()  # else the file does not take the place of the one that is there


def read_state(place: Place, name: str) -> State:
    """What a file says that was exported; nothing if it is not ours, or damaged."""
    data = place.read(name)
    try:
        return msgspec.json.decode(data, type=State) if data else State()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return State()


def keep_state(place: Place, name: str, state: State) -> None:
    """Note what was exported."""
    place.write(name, msgspec.json.encode(state))
