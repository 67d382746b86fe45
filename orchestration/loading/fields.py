"""The fields that events were seen to have: path, type and when, in `raw.field`.

What a load brings is looked at while it is loaded, in the load's own transaction, so that every
received copy is counted exactly once. The table says what was seen and decides nothing: which
column a field becomes is placed later (orchestration/columns/).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from orchestration.loading.field_paths import ITEM, Keys, is_id_like, path_text

log = logging.getLogger(__name__)

MAX_EVENTS = 1_000
"""Names of events of one source whose properties are listed apart, those first seen."""

MAX_FIELDS = 20_000
"""Fields of one call and source that are listed, those first seen. The payload keeps the others."""

MAX_EVENT_FIELDS = 50_000
"""Properties of one source's events that are listed event by event; others of all together."""

MAX_SOURCES = 100
"""Sources that have such room of their own, those first seen. All others share one."""

NOT_LISTED: Keys = ()
"""Stands for what of a source is beyond its room: counted in one row."""

_NAME = ("event",)
_LONG_PART = 4_096

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

    source: str | None
    event: str | None
    keys: Keys
    type: str


Noted = dict[Field, Seen]


class Part(NamedTuple):
    """What events of one source have under one key of theirs."""

    source: str | None
    event: str | None
    key: str
    text: bytes
    """Its structure; or the JSON itself, where that does not say all."""
    is_exact: bool

    def fields(self) -> frozenset[tuple[Keys, str]]:
        """The fields from there on."""
        if self.is_exact:
            return _fields_of(self.key, self.text)
        return frozenset(_walk((self.key,), shape(msgspec.json.decode(self.text))))


Observed = list[tuple[Part, Seen]]
"""What was seen, those first seen first."""


class FieldNotes:
    """What one transaction sees of fields, noted call by call and added at its end."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Begin with nothing."""
        self._con = con
        self._tables: list[pa.Table] = []

    def note(self, call: str) -> None:
        """Note the fields of the `usable_events` of one call."""
        self._tables.append(note_fields(self._con, call))

    def add(self) -> None:
        """Add all of them to `raw.field`."""
        add_fields(self._con, self._tables)


def note_fields(con: duckdb.DuckDBPyConnection, call: str, *, lists_new: bool = True) -> pa.Table:
    """Note the fields of the events of one call, in a load's open transaction.

    A source has room for so many names, and none uses up another's. Which have it are those first
    seen, by load, file, line and path, however the loads are put together in transactions.

    Args:
        con: The warehouse, with the events registered as `usable_events`.
        call: Their call.
        lists_new: Whether what `raw.field` has not may be listed, as far as there is room.

    Returns:
        What `add_fields` takes.
    """
    observed = _observed(con, is_named=call == "track")
    rooms = _Rooms(con, call, observed, lists_new=lists_new)
    noted: Noted = {}
    decided: set[Part] = set()
    together: dict[Part, Seen] = {}
    for part, seen in observed:
        room = rooms.of(part.source)
        part = part._replace(source=room.source, event=room.listed(part.event))  # noqa: PLW2901
        of_all = part._replace(event=None)
        # Where events without end have the same properties, the first has decided what is listed
        # of them, and they are gone through once more and not once each.
        if of_all in decided and not room.lists_fields_of(part):
            together[of_all] = together[of_all].plus(seen) if of_all in together else seen
        else:
            decided.add(of_all)
            room.note(part, seen, noted)
    for part, seen in together.items():
        rooms.of(part.source).note(part, seen, noted)
    return _table(call, noted)


@dataclass(eq=False)
class _Room:
    """What is listed of one call of one source, and may be."""

    source: str | None
    lists_new: bool
    keys: set[Keys] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    of_event: defaultdict[str, set[Keys]] = field(default_factory=lambda: defaultdict(set))
    event_fields: int = 0

    def listed(self, event: str | None) -> str | None:
        """The name of an event, if it is listed."""
        return event if event in self.events else None

    def lists_fields_of(self, part: Part) -> bool:
        """Whether anything of a part is listed for its event."""
        if part.event is None:
            return False
        has_some = len(self.of_event[part.event]) > 1  # more than the name
        return has_some or part.key == "event" or self._has_room_of_events()

    def _has_room(self) -> bool:
        return self.lists_new and len(self.keys) < MAX_FIELDS

    def _has_room_of_events(self) -> bool:
        return self.lists_new and self.event_fields < MAX_EVENT_FIELDS

    def note(self, part: Part, seen: Seen, noted: Noted) -> None:
        """Note the fields of a part, as far as they are listed, and count the others."""
        fields: Iterable[tuple[Keys, str]] = part.fields()
        if self._has_room() or self._has_room_of_events():
            fields = sorted(fields)
        beyond = 0
        for keys, kind in fields:
            if keys not in self.keys and not self._takes(keys):
                beyond += 1
                continue
            event = part.event
            if event is not None and not self._takes_of_event(event, keys):
                event = None
            _count(noted, Field(self.source, event, keys, kind), seen)
        if beyond:
            counted = seen._replace(copies=seen.copies * beyond)
            _count(noted, Field(self.source, None, NOT_LISTED, "not listed"), counted)

    def _takes(self, keys: Keys) -> bool:
        # without its name no event would be listed
        if not self._has_room() and not (self.lists_new and keys == _NAME):
            return False
        self.keys.add(keys)
        return True

    def _takes_of_event(self, event: str, keys: Keys) -> bool:
        listed = self.of_event[event]
        if keys not in listed:
            if not self._has_room_of_events() and keys != _NAME:
                return False
            listed.add(keys)
            self.event_fields += 1
        return True


def _count(noted: Noted, one: Field, seen: Seen) -> None:
    noted[one] = noted[one].plus(seen) if one in noted else seen


class _Rooms:
    """The room of each source that is in a load."""

    def __init__(
        self, con: duckdb.DuckDBPyConnection, call: str, observed: Observed, *, lists_new: bool
    ) -> None:
        """Ask what is listed of these sources, and of no others."""
        self._con = con
        known = {
            source for (source,) in con.execute("select distinct source from raw.field").fetchall()
        }
        seen = dict.fromkeys(part.source for part, _ in observed)
        new = [source for source in seen if source is not None and source not in known]
        free = MAX_SOURCES - len(known - {None})
        own = (known & seen.keys()) | set(new[: max(0, free)])
        self._rooms = {
            source: _Room(source, lists_new)
            for source in (source if source in own else None for source in seen)
        }
        asked = pa.array(self._rooms, pa.large_string())
        con.register("asked", pa.table({"source": asked}))
        for source, keys in self._listed("keys", "call = $1", call):
            self._rooms[source].keys.add(tuple(keys))
        if call == "track":
            self._read_events(observed)
        con.unregister("asked")

    def of(self, source: str | None) -> _Room:
        """The room of a source."""
        return self._rooms[source if source in self._rooms else None]

    def _listed(self, columns: str, where: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._con.execute(
            f"""
            select distinct field.source, {columns} from raw.field
            join asked on field.source is not distinct from asked.source
            where {where}
            """,  # noqa: S608 - our own words
            parameters,
        ).fetchall()

    def _read_events(self, observed: Observed) -> None:
        """Read which events are listed, and what of those that are seen."""
        for source, event, count in self._con.execute(
            """
            select field.source, event, count(distinct path) from raw.field
            join asked on field.source is not distinct from asked.source
            where event is not null group by all
            """
        ).fetchall():
            self._rooms[source].events.add(event)
            self._rooms[source].event_fields += count
        named = [
            (self.of(part.source), part.event) for part, _ in observed if part.event is not None
        ]
        left_out = 0
        for room, event in dict(zip(named, named, strict=True)):
            if event not in room.events:
                if room.lists_new and len(room.events) < MAX_EVENTS:
                    room.events.add(event)
                else:
                    left_out += room.lists_new
        if left_out:
            log.warning(
                "More than %d names of events of one source: the properties of the others are "
                "listed together, and they get no table of their own.",
                MAX_EVENTS,
            )
        names = pa.array({event for _, event in named}, pa.large_string())
        self._con.register("named", pa.table({"event": names}))
        for source, event, keys in self._listed("event, keys", "event in (from named)"):
            self._rooms[source].of_event[event].add(tuple(keys))
        self._con.unregister("named")


def _observed(con: duckdb.DuckDBPyConnection, *, is_named: bool) -> Observed:
    """What the events have in them.

    Events of one structure are one row of the query; what many structures share, such as the same
    `context`, is one part. The few events whose structure does not say all are read one by one.
    """
    event = _EVENT if is_named else "null"
    groups = con.execute(
        f"select json_structure(payload), source, {event}, {_SEEN} from usable_events "  # noqa: S608
        f"where not {_HAS_LONG_NUMBER} group by 1, 2, 3"
    ).fetchall()
    inexact = set()
    parts: dict[Part, Seen] = {}
    for text, source, name, *times in groups:
        try:
            members = [
                Part(source, name if key in _OF_AN_EVENT else None, key, bytes(value), True)
                for key, value in _members_of(text)
            ]
            for part in members:
                part.fields()
        except _InexactError:
            inexact.add(text)
            continue
        _add_parts(parts, members, Seen(*times))
    _observe_one_by_one(con, event, inexact, parts)
    return sorted(parts.items(), key=lambda item: (item[1].first, item[0].key))


def _add_parts(parts: dict[Part, Seen], members: Iterable[Part], seen: Seen) -> None:
    for part in members:
        parts[part] = parts[part].plus(seen) if part in parts else seen


def _observe_one_by_one(
    con: duckdb.DuckDBPyConnection, event: str, structures: set[str], parts: dict[Part, Seen]
) -> None:
    con.register("inexact", pa.table({"structure": pa.array(structures, pa.large_string())}))
    rows = con.execute(
        f"select payload, source, {event}, {_SEEN} from usable_events "  # noqa: S608
        f"where {_HAS_LONG_NUMBER} or json_structure(payload) in (from inexact) group by 1, 2, 3"
    ).fetchall()
    con.unregister("inexact")
    for payload, source, name, *times in rows:
        members = (
            Part(source, name if key in _OF_AN_EVENT else None, key, bytes(value), False)
            for key, value in _members_of(payload.lstrip())
        )
        _add_parts(parts, members, Seen(*times))


def _members_of(structure: str) -> Iterable[tuple[str, msgspec.Raw]]:
    """The top level of a structure; none if the event is no object."""
    return _members.decode(structure).items() if structure.startswith("{") else ()


def _fields_of(key: str, part: bytes) -> frozenset[tuple[Keys, str]]:
    # many kilobytes of names, many times kept, would take the memory
    of = _kept_fields_of if len(part) < _LONG_PART else _kept_fields_of.__wrapped__
    return of(key, part)


@lru_cache(maxsize=500)
def _kept_fields_of(key: str, part: bytes) -> frozenset[tuple[Keys, str]]:
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


def add_fields(con: duckdb.DuckDBPyConnection, noted: list[pa.Table]) -> None:
    """Add what a load noted to `raw.field`: rows behind those there are, whose counts add up.

    Once in a while the sum of all is written in their place, so that they do not become many.
    """
    rows = pa.concat_tables(noted) if noted else []
    if not len(rows):
        return
    con.register("noted", rows)
    con.execute("insert into raw.field by name select * from noted order by all")
    con.unregister("noted")
    (found,) = con.execute(
        "select count(*), count(distinct (source, call, event, path, type)) from raw.field"
    ).fetchall()
    if found[0] - found[1] > ADDITIONS:
        add_up_fields(con)


def add_up_fields(con: duckdb.DuckDBPyConnection) -> None:
    """Write one row in the place of all that say the same of a field."""
    con.execute(f"create or replace temp table added_up as {_ADDED_UP}")
    con.execute("delete from raw.field")
    con.execute("insert into raw.field by name from added_up order by all")
    con.execute("drop table added_up")


def bound_fields(con: duckdb.DuckDBPyConnection) -> None:
    """Bound what an earlier version listed without end: events times properties.

    In an open transaction. What is beyond is listed for all events together, as it would be now.
    """
    con.execute(
        """
        create or replace temp table bounded as
        select * exclude (place) replace (if(place > $1, null, event) as event) from (
            select *, if(event is not null, row_number() over (
                order by
                    event is null, path <> 'event',
                    first_load_id, first_file, first_line, event, path, type
            ), 0) as place
            from raw.field
        )
        """,
        [MAX_EVENT_FIELDS],
    )
    con.execute("delete from raw.field")
    con.execute("insert into raw.field by name from bounded")
    con.execute("drop table bounded")
    add_up_fields(con)


ADDITIONS = 1_000
"""Rows more than fields in `raw.field` before it is written anew."""

_ADDED_UP = """
    select
        * exclude (first_place),
        first_place.load_id as first_load_id,
        first_place.file as first_file,
        first_place.line as first_line
    from (
        select
            source, call, event, path, keys, type,
            sum(count)::bigint as count,
            min(first_seen) as first_seen,
            max(last_seen) as last_seen,
            min(struct_pack(
                load_id := first_load_id, file := first_file, line := first_line
            )) as first_place,
            max(last_load_id) as last_load_id
        from raw.field
        group by all
    )
"""

_NOTED = pa.schema(
    {
        "source": pa.large_string(),
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


def _table(call: str, seen: Noted) -> pa.Table:
    rows = (
        (source, call, event, path_text(keys), keys, kind, count, *first, *when)
        for (source, event, keys, kind), (count, first, *when) in seen.items()
    )
    return pa.Table.from_pylist([dict(zip(_NOTED.names, row, strict=True)) for row in rows], _NOTED)
