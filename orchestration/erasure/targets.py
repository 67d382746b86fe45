"""What of the warehouse is some people's: their rows in the raw tables, in the table `erased`."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from landed.folders import CALLS, REJECTED
from landed.ids import KINDS, SHOWN_NUL
from orchestration.loading.insert import HOUR, UNKNOWN
from orchestration.loading.people import Id, People, Person
from orchestration.warehouse.catalog import DATABASE

_AT_ONCE = 1_000
_NAMED = 5

_ERASED = pa.schema(
    {
        "table_name": pa.string(),
        "file": pa.large_string(),
        "line": pa.int64(),
        "load_id": pa.int64(),
        "call": pa.string(),
        "source": pa.large_string(),
        "hour": pa.timestamp("us"),
        "message_id": pa.large_string(),
    }
)
_COLUMNS = f"""
    file, line, load_id, coalesce(source, '{UNKNOWN}'), {HOUR}, message_id
"""


Note = Callable[[Person, str], None]
"""Told whose a line is, and of which file."""


class Mention(NamedTuple):
    """Events of somebody else that mention an id elsewhere; they stay."""

    call: str
    events: int
    message_ids: list[str]
    """The first of them."""


def recover_ids(con: duckdb.DuckDBPyConnection, people: People) -> set[Id]:
    """Find the ids of people who are known by their hash alone, as far as they are in raw tables.

    Every id there is hashed: this is for an erasure that was cut short, whose ids nobody gives.
    """
    found = set(people.ids)
    for call in CALLS:
        for field, kinds in KINDS.items():
            con.execute(f"select distinct payload ->> '$.{field}' from raw.\"{call}\"")
            for (text,) in _rows(con):
                found |= {
                    one
                    for kind in kinds
                    if text is not None and people.whose([one := Id(kind, text)])
                }
    return found


def find(con: duckdb.DuckDBPyConnection, people: People, note: Note) -> None:
    """Fill the temporary table `erased` with the rows of people.

    Args:
        con: The warehouse.
        people: Who; of all that have rows the ids are known.
        note: Told of each line whose it is, and of which file.
    """
    con.register("empty", _ERASED.empty_table())
    con.execute("create or replace temp table erased as from empty")
    con.unregister("empty")
    # a connection of its own, so that rows can be read while others are written down
    with con.cursor() as reader:
        reader.execute(f"use {DATABASE}")
        reader.register("ids", _ids_table(people))
        for call in CALLS:
            reader.execute(
                f"select {_COLUMNS}, '{call}', payload::varchar from raw.\"{call}\" where {_MAY_BE}"
            )
            events = (
                (row, people.of_event(str(row[-1]).encode("utf-8", "surrogatepass")))
                for row in _rows(reader)
            )
            _add(con, call, events, note)
        reader.execute(
            f"select {_COLUMNS}, coalesce(call, '{UNKNOWN}'), body from raw.rejected "
            "where body is not null"
        )
        _add(con, REJECTED, ((row, people.of_body(row[-1])) for row in _rows(reader)), note)


def _may_be(field: str, kinds: tuple[str, ...]) -> str:
    """Where DuckDB's text of a field is an id; of a fraction it is not the text that was sent."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f"replace(payload ->> '$.{field}', chr(0), '{SHOWN_NUL}') "
        f"in (select text from ids where kind in ({listed})) "
        f"or json_type(payload, '$.{field}') = 'DOUBLE'"
    )


_MAY_BE = " or ".join(_may_be(field, kinds) for field, kinds in KINDS.items())


def _rows(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    """The rows of a query, a few at a time."""
    while rows := con.fetchmany(_AT_ONCE):
        yield from rows


def _add(
    con: duckdb.DuckDBPyConnection,
    table: str,
    rows: Iterator[tuple[tuple[Any, ...], set[Person]]],
    note: Note,
) -> None:
    """Add those rows that are somebody's, a few at a time."""
    found = []
    for row, whose in rows:
        for person in whose:
            note(person, row[0])
        if whose:
            file, line, load_id, source, hour, message_id, call, _ = row
            found.append((table, file, line, load_id, call, source, hour, message_id))
        if len(found) >= _AT_ONCE:
            _insert(con, found)
            found = []
    if found:
        _insert(con, found)


def _insert(con: duckdb.DuckDBPyConnection, rows: list[tuple[Any, ...]]) -> None:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(c, field.type) for c, field in zip(columns, _ERASED, strict=True)]
    con.register("batch", pa.table(arrays, _ERASED))
    con.execute("insert into erased from batch")
    con.unregister("batch")


def _ids_table(people: People) -> pa.Table:
    ids = sorted(people.ids)
    return pa.table(
        {
            "kind": pa.array([one.kind for one in ids], pa.string()),
            "text": pa.array([one.text for one in ids], pa.large_string()),
        }
    )


def mentions(con: duckdb.DuckDBPyConnection, people: People) -> list[Mention]:
    """Events that hold an id of these people anywhere and are not in `erased`."""
    found = []
    con.register("ids", _ids_table(people))
    for call in CALLS:
        row = con.execute(
            f"""
            select count(*), list(message_id order by file, line)[:{_NAMED}]
            from raw."{call}" anti join erased using (file, line)
            where exists (from ids where contains(payload::varchar, text))
            """
        ).fetchone()
        if row and row[0]:
            found.append(Mention(call, *row))
    con.unregister("ids")
    return found
