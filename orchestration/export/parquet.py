"""The final tables as Parquet files, one for each table and day of receipt.

`<table>/received_date=<day>/rows.parquet`, as Hive has it and as every engine reads it. A file is
written anew when a row of its day has changed, and is whole at any moment. Beside them
`<table>/_seamline.json` says what is in them; it is written behind them, so that a death in between
has the same files written once more.

A file has the documented columns, and of the others those that have a value in its day. So where a
column becomes double no file has it as it was, though only the days with a value are written.
"""

from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from orchestration.export.changes import RECEIVED_AT, Exported, State, changes, rows_of
from orchestration.export.names import is_documented
from orchestration.export.places import Place
from orchestration.warehouse.catalog import column_types_in, full_name, literal, quoted

STATE = "_seamline.json"
FILE = "rows.parquet"


def export(con: duckdb.DuckDBPyConnection, schema: str, table: str, place: Place) -> Exported:
    """Bring the files of a table up to date.

    Args:
        con: The warehouse.
        schema: The schema of the final tables.
        table: The table; it has to be there.
        place: Where the files are.

    Raises:
        StoreError: the bucket cannot be used; the next export does what is left.
    """
    known = _state(place, table)
    there = {name for name in place.names(table) if name.endswith(FILE)}
    known.parts = {
        start: part for start, part in known.parts.items() if _name(table, start) in there
    }
    every = {*known.columns, *column_types_in(con, schema)[table]}
    always = {one for one in every if is_documented(table, one)}
    found = changes(con, schema, table, "day", known, in_place=_never, everywhere=always)
    done = Exported()
    written = State(known.columns, known.files, known.parts)
    for portion in found.portions():
        for start, part in portion.items():
            rows = rows_of(full_name(schema, table), "day", [start])
            columns = _columns(con, rows, found.columns, always)
            place.fill(_name(table, start), partial(_copy, con, rows, columns))
            written.parts[start] = part
            done.rows += part.rows
            done.parts += 1
        _keep(place, table, written)
    for start in found.gone:
        del written.parts[start]
    # also those of an export that died before it noted them
    for name in sorted(there - {_name(table, start) for start in written.parts}):
        place.remove(name)
        done.gone += 1
    if (found.columns, found.files) != (known.columns, known.files) or done.gone:
        _keep(place, table, State(found.columns, found.files, written.parts))
    done.total = sum(part.rows for part in written.parts.values())
    return done


def _never(*_: str) -> bool:
    return False


def _name(table: str, start: str) -> str:
    return f"{table}/received_date={start[:10]}/{FILE}"


def _columns(
    con: duckdb.DuckDBPyConnection, rows: str, columns: Iterable[str], always: Collection[str]
) -> list[str]:
    """The columns that a file of some rows has."""
    filled = ", ".join(f"count({quoted(one)}) > 0" for one in columns)
    (row,) = con.execute(f"select {filled} {rows}").fetchall()
    return [one for one, is_filled in zip(columns, row, strict=True) if is_filled or one in always]


def _copy(con: duckdb.DuckDBPyConnection, rows: str, columns: list[str], path: Path) -> None:
    listed = ", ".join(map(quoted, columns))
    con.execute(
        f"copy (select {listed} {rows} order by {RECEIVED_AT}, message_id) "
        f"to {literal(str(path))} (format parquet, compression zstd)"
    )


def _state(place: Place, table: str) -> State:
    data = place.read(f"{table}/{STATE}")
    try:
        return msgspec.json.decode(data, type=State) if data else State()
    except (msgspec.DecodeError, UnicodeDecodeError):  # not ours, or damaged: all is written anew
        return State()


def _keep(place: Place, table: str, state: State) -> None:
    place.write(f"{table}/{STATE}", msgspec.json.encode(state))
