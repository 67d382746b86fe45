"""What of the warehouse is some people's: their rows in the raw tables, in the table `erased`."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from landed.folders import CALLS, REJECTED
from landed.ids import KINDS, SHOWN_NUL
from orchestration.loading.insert import HOUR, UNKNOWN, highest_load
from orchestration.loading.people import Found, Id, People, Person

_NAMED = 5


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
    found: set[Id] = set()
    for call in CALLS:
        for field, kinds in KINDS.items():
            rows = con.execute(f"select distinct payload ->> '$.{field}' from raw.\"{call}\"")
            for (text,) in iter(rows.fetchone, None):
                ids = [Id(kind, text) for kind in kinds if text is not None]
                found.update(one for one in ids if people.whose([one]))
    return found


class Places:
    """The rows of people, as they were found with no lock; they go a part after the other."""

    def __init__(self, rows: pa.Table, last_load: int) -> None:
        """Take them.

        Args:
            rows: Table, file, line and people of each, by file and line.
            last_load: The load up to which was looked.
        """
        self._rows = rows
        self.last_load = last_load

    def parts(self, size: int) -> Iterator[pa.Table]:
        """So many rows at a time; one part without any if there are none."""
        for begin in range(0, max(len(self._rows), 1), size):
            yield self._rows.slice(begin, size)


def find(con: duckdb.DuckDBPyConnection, people: People) -> Places:
    """Find the rows of people, in one pass over each table, at one moment; nobody is held up.

    Args:
        con: The warehouse.
        people: Who; of all that have rows the ids are known.
    """
    con.execute("begin")  # one moment
    last = highest_load(con)
    _fill(con, [_found_after(con, people, -1)])
    rows = con.execute("select table_name, file, line, people from erased order by file, line")
    places = rows.to_arrow_table()
    con.execute("commit")
    return Places(places, last)


def take_part(
    con: duckdb.DuckDBPyConnection, people: People, part: pa.Table, after: int
) -> tuple[Found, int]:
    """Fill the temporary table `erased` with a part of what was found, as far as it is there yet.

    What was loaded since is looked for as well, and is in it too.

    Args:
        con: The warehouse, in the writer's lock.
        people: Who.
        part: Of the places that were found.
        after: The load up to which was looked.

    Returns:
        Whose lines there are, and in which file; and the load up to which was looked now.
    """
    con.register("part", part)
    events = [
        f"""
        select events.*, '{call}' as table_name, '{call}' as call, people
        from raw."{call}" as events
        join part on events.file = part.file and events.line = part.line
            and part.table_name = '{call}'
        """
        for call in sorted({*part["table_name"].unique().to_pylist()} & {*CALLS})
    ]
    rejected = f"""
        select records.*, '{REJECTED}' as table_name, people from raw.rejected as records
        join part on records.file = part.file and records.line = part.line
            and part.table_name = '{REJECTED}'
    """
    last = highest_load(con)
    since = [_found_after(con, people, after)] if last > after else []
    _fill(con, [*events, rejected, *since])
    con.unregister("part")
    counts = con.execute(
        """
        select person.kind, person.hash, file, count(*)
        from (select unnest(people) as person, file from erased) group by all
        """
    ).fetchall()
    return Found({(Person(kind, digest), file): n for kind, digest, file, n in counts}), last


def _fill(con: duckdb.DuckDBPyConnection, queries: list[str]) -> None:
    con.execute(
        f"""
        create or replace temp table erased as
        select
            table_name, file, line, load_id, coalesce(call, '{UNKNOWN}') as call,
            coalesce(source, '{UNKNOWN}') as source, {HOUR} as hour, message_id, people
        from ({" union all by name ".join(queries)})
        where len(people) > 0
        """
    )


def _found_after(con: duckdb.DuckDBPyConnection, people: People, load_id: int) -> str:
    """A query of the rows of people that later loads brought."""
    _add_function(con, "people_of_event", people.of_event)
    _add_function(con, "people_of_body", people.of_body)
    _register_ids(con, people)
    events = [
        f"""
        select *, '{call}' as table_name, '{call}' as call,
            people_of_event(encode(payload::varchar)) as people
        from raw."{call}" where load_id > {load_id} and ({_MAY_BE})
        """
        for call in CALLS
    ]
    rejected = f"""
        select *, '{REJECTED}' as table_name, people_of_body(body) as people
        from raw.rejected where load_id > {load_id} and body is not null
    """
    return " union all by name ".join([*events, rejected])


def _may_be(field: str, kinds: tuple[str, ...]) -> str:
    """Where DuckDB's text of a field is an id; of a fraction it is not the text that was sent."""
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f"replace(payload ->> '$.{field}', chr(0), '{SHOWN_NUL}') "
        f"in (select text from ids where kind in ({listed})) "
        f"or json_type(payload, '$.{field}') = 'DOUBLE'"
    )


_MAY_BE = " or ".join(_may_be(field, kinds) for field, kinds in KINDS.items())


def _add_function(
    con: duckdb.DuckDBPyConnection, name: str, whose: Callable[[bytes], set[Person]]
) -> None:
    """Let SQL ask whose some bytes are."""
    gives = pa.list_(pa.struct({"kind": pa.string(), "hash": pa.string()}))

    def of_values(values: pa.ChunkedArray) -> pa.Array:
        people = [[person._asdict() for person in whose(one)] for one in values.to_pylist()]
        return pa.array(people, gives)

    con.create_function(
        name,
        of_values,
        ["blob"],
        "struct(kind varchar, hash varchar)[]",
        type=PythonUDFType.ARROW,
    )


def _register_ids(con: duckdb.DuckDBPyConnection, people: People) -> None:
    ids = list(people.ids)
    kinds = pa.array([one.kind for one in ids], pa.string())
    texts = pa.array([one.text for one in ids], pa.large_string())
    con.register("ids", pa.table({"kind": kinds, "text": texts}))


def mentions(con: duckdb.DuckDBPyConnection, people: People) -> list[Mention]:
    """Events that hold an id of these people anywhere and are not in `erased`."""
    _register_ids(con, people)
    queries = [
        f"""
        select '{call}' as call, count(*), list(message_id order by file, line)[:{_NAMED}]
        from raw."{call}" anti join erased using (file, line)
        where exists (from ids where contains(payload::varchar, text))
        having count(*) > 0
        """
        for call in CALLS
    ]
    found = con.execute(" union all ".join(queries)).fetchall()
    con.unregister("ids")
    return [Mention(*row) for row in found]
