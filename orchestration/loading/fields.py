"""The fields that events were seen to have: path, type and when, in `raw.field`.

What a load brings is looked at while it is loaded, in the load's own transaction, so that every
received copy is counted exactly once. The table says what was seen and decides nothing: which
column a field becomes is placed later (orchestration/columns/).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from orchestration.loading.field_paths import ITEM, Keys, is_id_like, path_text

log = logging.getLogger(__name__)

MAX_EVENTS = 1_000
"""Names of events whose properties are listed apart, those first seen; all others together."""

MAX_FIELDS = 20_000
"""Fields listed of one call, those first seen. The payload keeps what the others held."""

Structure = Any
"""JSON in which each scalar is the name of its type; what DuckDB's `json_structure` gives."""

_TYPES = {
    "BOOLEAN": "boolean",
    "UBIGINT": "bigint",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",  # of an array with numbers above and below zero
    "DOUBLE": "double",
    "VARCHAR": "string",
}
_INT64 = range(-(2**63), 2**63)

# A number that may not fit 64 bits: `json_structure` calls it an integer or a double, but what has
# to be kept of it are its digits.
_HAS_LONG_NUMBER = r"regexp_matches(payload, '[:\[,]\s*-?\d{19}')"

# No name with a NUL in it: it could not stand in a query.
_EVENT = (
    "case when json_type(payload, '$.event') = 'VARCHAR' "
    "and not contains(payload ->> '$.event', chr(0)) then payload ->> '$.event' end"
)
_OF_AN_EVENT = ("event", "properties")
_SEEN = "count(*), min((load_id, file, line)), min(received_at), max(received_at), max(load_id)"

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _InexactError(Exception):
    """Elements of an array have different types, and the structure does not say which."""


class Seen(NamedTuple):
    """How often something was seen, and when and where first."""

    copies: int
    first: tuple[int, str, int]
    """Load, file and line."""
    first_seen: datetime
    last_seen: datetime
    last_load_id: int

    def plus(self, other: "Seen") -> "Seen":
        """What was seen here and elsewhere."""
        return Seen(
            self.copies + other.copies,
            min(self.first, other.first),
            min(self.first_seen, other.first_seen),
            max(self.last_seen, other.last_seen),
            max(self.last_load_id, other.last_load_id),
        )


class Field(NamedTuple):
    """What is counted apart; `event` is set for the name of a track and its properties."""

    event: str | None
    keys: Keys
    type: str


class FieldNotes:
    """What one transaction sees of fields, noted call by call and added at its end."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Begin with what is known before."""
        self._con = con
        self._known = known_paths(con)
        self._tables: list[pa.Table] = []

    def note(self, call: str) -> None:
        """Note the fields of the `usable_events` of one call."""
        self._tables.append(note_fields(self._con, call, self._known[call]))

    def add(self) -> None:
        """Add all of them to `raw.field`."""
        add_fields(self._con, self._tables)


def note_fields(con: duckdb.DuckDBPyConnection, call: str, known: set[Keys]) -> pa.Table:
    """Note the fields of the events of one call, in a load's open transaction.

    Args:
        con: The warehouse, with the events registered as `usable_events`.
        call: Their call.
        known: The paths that `raw.field` has of it; those that are new are added.

    Returns:
        What `add_fields` takes.
    """
    names = _Names(con) if call == "track" else None
    seen: dict[Field, Seen] = {}
    for event, key, fields, times in _observed(con, is_named=names is not None):
        name = names.listed(event) if names and key in _OF_AN_EVENT else None
        for keys, kind in fields:
            if keys not in known:
                # A sender that makes up keys without end must not fill the table.
                if len(known) >= MAX_FIELDS:
                    continue
                known.add(keys)
            field = Field(name, keys, kind)
            seen[field] = seen[field].plus(times) if field in seen else times
    return _table(call, seen)


def known_paths(con: duckdb.DuckDBPyConnection) -> defaultdict[str, set[Keys]]:
    """Return the paths that `raw.field` has of each call."""
    paths: defaultdict[str, set[Keys]] = defaultdict(set)
    for call, keys in con.execute("select distinct call, keys from raw.field").fetchall():
        paths[call].add(tuple(keys))
    return paths


Observed = tuple[str | None, str, frozenset[tuple[Keys, str]], Seen]
"""Event, top-level key, the fields from there on, and how often they were seen together."""


def _observed(con: duckdb.DuckDBPyConnection, *, is_named: bool) -> Iterator[Observed]:
    """What the events have in them.

    Events of one structure are one row of the query; what many structures share, such as the same
    `context`, is walked once. The few events whose structure does not say all are read one by one.
    """
    event = _EVENT if is_named else "null"
    groups = con.execute(
        f"select json_structure(payload), {event}, {_SEEN} from usable_events "  # noqa: S608
        f"where not {_HAS_LONG_NUMBER} group by 1, 2"
    ).fetchall()
    inexact = set()
    parts: dict[tuple[str | None, str, bytes], Seen] = {}
    for text, name, *times in groups:
        try:
            members = [(key, bytes(part)) for key, part in _members_of(text)]
            for key, part in members:
                _fields_of(key, part)
        except _InexactError:
            inexact.add(text)
            continue
        for key, part in members:
            place = (name if key in _OF_AN_EVENT else None, key, part)
            seen = Seen(*times)
            parts[place] = parts[place].plus(seen) if place in parts else seen
    # those seen first come first: they are listed where not all can be
    for (name, key, part), seen in sorted(parts.items(), key=lambda item: item[1].first):
        yield name, key, _fields_of(key, part), seen
    yield from _observed_one_by_one(con, event, inexact)


def _observed_one_by_one(
    con: duckdb.DuckDBPyConnection, event: str, structures: set[str]
) -> Iterator[Observed]:
    con.register("inexact", pa.table({"structure": pa.array(structures, pa.large_string())}))
    rows = con.execute(
        f"select payload, {event}, {_SEEN} from usable_events "  # noqa: S608
        f"where {_HAS_LONG_NUMBER} or json_structure(payload) in (from inexact) group by 1, 2"
    ).fetchall()
    con.unregister("inexact")
    for payload, name, *times in rows:
        value = msgspec.json.decode(payload)
        if isinstance(value, dict):
            for key, part in value.items():
                yield name, key, frozenset(_walk((key,), shape(part))), Seen(*times)


def _members_of(structure: str) -> Iterable[tuple[str, msgspec.Raw]]:
    """The top level of a structure; none if the event is no object."""
    return _members.decode(structure).items() if structure.startswith("{") else ()


@lru_cache(maxsize=500)
def _fields_of(key: str, part: bytes) -> frozenset[tuple[Keys, str]]:
    return frozenset(_walk((key,), msgspec.json.decode(part)))


def shape(value: Any) -> Structure:
    """The structure of a JSON value, like `json_structure`'s but exact.

    An integer that does not fit 64 bits is a VARCHAR, and an array has the shape of every element.
    """
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if value in _INT64 else "VARCHAR"
    return "DOUBLE" if isinstance(value, float) else "VARCHAR"


def _walk(keys: Keys, structure: Structure) -> Iterator[tuple[Keys, str]]:
    """Every field of a structure, itself included, as path and type; nulls are nothing.

    Types are boolean, bigint, double, string, array, object, and map for an object with ids in the
    place of keys, which are not fields.
    """
    if is_id_like(keys[0]):
        return
    if isinstance(structure, dict):
        yield from _walk_object(keys, structure)
    elif isinstance(structure, list):
        yield keys, "array"
        for part in structure:
            yield from _walk((*keys, ITEM), part)
    elif structure == "JSON":
        if ITEM in keys:
            raise _InexactError
        yield keys, "object"  # an empty one
    elif structure != "NULL":
        if structure not in _TYPES:
            raise _InexactError
        yield keys, _TYPES[structure]


def _walk_object(keys: Keys, members: dict[str, Structure]) -> Iterator[tuple[Keys, str]]:
    yield keys, "object"
    if any(map(is_id_like, members)):
        yield keys, "map"
    for key, part in members.items():
        if not is_id_like(key):
            yield from _walk((*keys, key), part)


class _Names:
    """The names of events that are listed: those first seen."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._listed = {
            name
            for (name,) in con.execute(
                "select distinct event from raw.field where event is not null"
            ).fetchall()
        }
        free = max(0, MAX_EVENTS - len(self._listed))
        # One more than there is space for, to tell whether any is left out.
        new = con.execute(
            f"select {_EVENT} as name from usable_events "  # noqa: S608
            "where name is not null and name not in (select unnest($1::varchar[])) "
            "group by name order by min((load_id, file, line)) limit $2",
            [sorted(self._listed), free + 1],
        ).fetchall()
        if len(new) > free:
            log.warning(
                "More than %d names of events: the properties of the others are listed together, "
                "and they get no table of their own.",
                MAX_EVENTS,
            )
        self._listed |= {name for (name,) in new[:free]}

    def listed(self, name: str | None) -> str | None:
        """The name, if it is listed."""
        return name if name in self._listed else None


def add_fields(con: duckdb.DuckDBPyConnection, noted: list[pa.Table]) -> None:
    """Add what a load noted to `raw.field`, which is written anew: a small table, and one file."""
    if not noted:
        return
    seen = pa.concat_tables(noted)
    if not len(seen):
        return
    con.register("seen", seen)
    con.execute(
        """
        create or replace temp table merged as
        select
            * exclude (first_place),
            first_place.load_id as first_load_id,
            first_place.file as first_file,
            first_place.line as first_line
        from (
            select
                call, event, path, keys, type,
                sum(count)::bigint as count,
                min(first_seen) as first_seen,
                max(last_seen) as last_seen,
                min(struct_pack(
                    load_id := first_load_id, file := first_file, line := first_line
                )) as first_place,
                max(last_load_id) as last_load_id
            from (from raw.field union all by name from seen)
            group by all
        )
        """
    )
    con.unregister("seen")
    con.execute("delete from raw.field")
    con.execute("insert into raw.field by name from merged order by all")
    con.execute("drop table merged")


_NOTED = pa.schema(
    {
        "call": pa.string(),
        "event": pa.large_string(),
        "path": pa.large_string(),
        "keys": pa.list_(pa.large_string()),
        "type": pa.string(),
        "count": pa.int64(),
        "first_load_id": pa.int64(),
        "first_file": pa.string(),
        "first_line": pa.int64(),
        "first_seen": pa.timestamp("us"),
        "last_seen": pa.timestamp("us"),
        "last_load_id": pa.int64(),
    }
)


def _table(call: str, seen: dict[Field, Seen]) -> pa.Table:
    rows = (
        (call, event, path_text(keys), keys, kind, count, *first, *when)
        for (event, keys, kind), (count, first, *when) in seen.items()
    )
    return pa.Table.from_pylist([dict(zip(_NOTED.names, row, strict=True)) for row in rows], _NOTED)
