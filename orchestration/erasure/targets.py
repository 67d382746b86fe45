"""What of the warehouse is some people's: their rows in the raw tables, in the table `erased`."""

from collections.abc import Callable
from typing import NamedTuple

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from landed.folders import CALLS, REJECTED
from landed.ids import KINDS, SHOWN_NUL
from orchestration.loading.insert import HOUR, UNKNOWN
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


def find(con: duckdb.DuckDBPyConnection, people: People) -> Found:
    """Fill the temporary table `erased` with the rows of people, in one pass over each table.

    Args:
        con: The warehouse.
        people: Who; of all that have rows the ids are known.

    Returns:
        Whose lines there are, and in which file.
    """
    _add_function(con, "people_of_event", people.of_event)
    _add_function(con, "people_of_body", people.of_body)
    _register_ids(con, people)
    events = [
        f"""
        select *, '{call}' as table_name, '{call}' as call,
            people_of_event(encode(payload::varchar)) as people
        from raw."{call}" where {_MAY_BE}
        """
        for call in CALLS
    ]
    con.execute(
        f"""
        create or replace temp table erased as
        select
            table_name, file, line, load_id, coalesce(call, '{UNKNOWN}') as call,
            coalesce(source, '{UNKNOWN}') as source, {HOUR} as hour, message_id, people
        from (
            {" union all by name ".join(events)}
            union all by name
            select *, '{REJECTED}' as table_name, people_of_body(body) as people
            from raw.rejected where body is not null
        )
        where len(people) > 0
        """
    )
    con.unregister("ids")
    counts = con.execute(
        """
        select person.kind, person.hash, file, count(*)
        from (select unnest(people) as person, file from erased) group by all
        """
    ).fetchall()
    return Found({(Person(kind, digest), file): lines for kind, digest, file, lines in counts})


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
    found = []
    _register_ids(con, people)
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
