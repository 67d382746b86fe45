"""What the events of a load have in them: which fields, of which types, and where first."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa

from orchestration.loading.field_paths import ITEM, Keys, are_places, is_id_like

LONG = "long"
"""The type of a whole number within 64 bits that a double does not hold exactly: it is beyond 2^53,
and has other digits as a double."""

_LONG_PART = 4_096

Structure = Any
"""JSON in which each scalar is the name of its type; what DuckDB's `json_structure` gives."""

_TYPES = {
    "BOOLEAN": "boolean",
    "UBIGINT": "bigint",
    "BIGINT": "bigint",
    "HUGEINT": "bigint",  # of an array with numbers above and below zero
    "LONG": LONG,
    "DOUBLE": "double",
    "VARCHAR": "string",
}
_INT64 = range(-(2**63), 2**63)

# Three patterns, as one that begins with a character of its own is looked for with `memchr`.
HAS_LONG_NUMBER = (
    "("
    + " or ".join(
        rf"regexp_matches(payload, '{before}\s*-?\d{{16}}')" for before in (":", ",", r"\[")
    )
    + ")"
)
"""SQL of whether a payload may have a whole number of more digits than a double holds, or than 64
bits do: `json_structure` calls it an integer or a double."""

_STRUCTURE = "json_structure(payload)::varchar"
_NAME = "json_extract(payload, '$.event')"
"""SQL of an event's name, as JSON: the payload is parsed once for it."""

# No name with a NUL in it: it could not stand in a query.
_NAME_AS_TEXT = (
    "case when json_type(name) not in ('NULL', 'ARRAY', 'OBJECT') "
    "and not contains(name ->> '$', chr(0)) then name ->> '$' end"
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


class Part(NamedTuple):
    """What events of one source have under one key of theirs."""

    source: str | None
    event: str | None
    key: str
    text: bytes
    """Its structure; or the JSON itself, where that does not say all."""
    is_exact: bool

    def fields(self) -> frozenset[tuple[Keys, str]]:
        """The fields from there on; none of what DuckDB takes for JSON and is none."""
        if self.is_exact:
            return _fields_of(self.key, self.text)
        try:
            value = msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return frozenset()
        return frozenset(_walk((self.key,), shape(value)))


Observed = list[tuple[Part, Seen]]
"""What was seen, those first seen first."""


def observed_in(con: duckdb.DuckDBPyConnection, *, is_named: bool) -> Observed:
    """What the events have in them.

    Events of one structure are one row of the query; what many structures share, such as the same
    `context`, is one part. The few events whose structure does not say all are read one by one.
    """
    looked_at = f"""
        select
            *, {_NAME if is_named else "null::json"} as name,
            {HAS_LONG_NUMBER} as is_whole,
            if(is_whole, payload::varchar, {_STRUCTURE}) as text
        from usable_events
    """  # noqa: S608 - our own words
    parts: dict[Part, Seen] = {}
    inexact = set()
    for text, is_whole, source, name, *times in _groups(con, looked_at):
        members = _parts_of(text, source, name, is_exact=not is_whole)
        try:
            for part in members:
                part.fields()
        except _InexactError:
            inexact.add(text)
        else:
            _add_parts(parts, members, Seen(*times))
    if inexact:
        _observe_one_by_one(con, looked_at, inexact, parts)
    return sorted(parts.items(), key=lambda item: (item[1].first, item[0].key))


def _groups(con: duckdb.DuckDBPyConnection, looked_at: str) -> list[tuple[Any, ...]]:
    """Texts, whether each is a payload itself, their sources and events, and when they came."""
    return con.execute(
        f"select text, is_whole, source, {_NAME_AS_TEXT}, {_SEEN} from ({looked_at}) group by all"  # noqa: S608
    ).fetchall()


def _parts_of(text: str, source: str | None, event: str | None, *, is_exact: bool) -> list[Part]:
    """What a structure, or a payload, has on its top level; nothing if the event is no object.

    Nor if it is no JSON, such as `{"a": NaN}` or `[1,]`: DuckDB takes them, no receiver lands them,
    and what somebody else has landed stops no load.
    """
    text = text.lstrip()
    try:
        members = _members.decode(text) if text.startswith("{") else {}
    except msgspec.DecodeError:
        return []
    return [
        Part(source, event if key in _OF_AN_EVENT else None, key, bytes(value), is_exact)
        for key, value in members.items()
    ]


def _add_parts(parts: dict[Part, Seen], members: Iterable[Part], seen: Seen) -> None:
    for part in members:
        parts[part] = parts[part].plus(seen) if part in parts else seen


def _observe_one_by_one(
    con: duckdb.DuckDBPyConnection, looked_at: str, structures: set[str], parts: dict[Part, Seen]
) -> None:
    """Look at the events whose structure does not say all."""
    con.register("inexact", pa.table({"structure": pa.array(structures, pa.large_string())}))
    of_these = f"""
        select * replace (payload::varchar as text) from ({looked_at})
        where not is_whole and text in (from inexact)
    """  # noqa: S608 - our own words
    for text, _, source, name, *times in _groups(con, of_these):
        _add_parts(parts, _parts_of(text, source, name, is_exact=False), Seen(*times))
    con.unregister("inexact")


def _fields_of(key: str, part: bytes) -> frozenset[tuple[Keys, str]]:
    # many kilobytes of names, many times kept, would take the memory
    of = _kept_fields_of if len(part) < _LONG_PART else _kept_fields_of.__wrapped__
    return of(key, part)


@lru_cache(maxsize=500)
def _kept_fields_of(key: str, part: bytes) -> frozenset[tuple[Keys, str]]:
    return frozenset(_walk((key,), msgspec.json.decode(part)))


def shape(value: Any) -> Structure:
    """The structure of a JSON value, like `json_structure`'s but exact.

    An integer that does not fit 64 bits is a VARCHAR, one that a double does not hold a LONG, and
    an array has the shape of every element.
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
        return _shape_of_whole(value)
    return "DOUBLE" if isinstance(value, float) else "VARCHAR"


def _shape_of_whole(number: int) -> str:
    if number not in _INT64:
        return "VARCHAR"
    return "BIGINT" if int(float(number)) == number else "LONG"


def _walk(keys: Keys, structure: Structure) -> Iterator[tuple[Keys, str]]:
    """Every field of a structure, itself included, as path and type; nulls are nothing.

    Types are boolean, bigint, long, double, string, array, object, and map for an object with ids
    in the place of keys, which are not fields. What may be a list with holes has elements, as a
    list has.
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
    if are_places(members):
        for part in members.values():
            yield from _walk((*keys, ITEM), part)
    for key, part in members.items():
        if not is_id_like(key):
            yield from _walk((*keys, key), part)
