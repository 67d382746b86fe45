"""The names under which Segment Warehouses shows the same rows.

One relation per call and one per event name, `_` in place of `__`, traits and properties without a
prefix, only what the relation's own events have. (Segment's docs, connections/storage/warehouses:
schema; a property whose name is taken gets an underscore before it, as on Redshift.) Of two fields
that meet in one name the second has a hash of its path behind it, as in the tables.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from orchestration.columns.documented import CALLS, COLUMN_TYPES
from orchestration.columns.names import column_name, free_name, shortened, snake_case
from orchestration.columns.placement import Place, Placement
from orchestration.loading.field_paths import Keys
from orchestration.loading.observed_fields import LONG

RELATIONS = {
    "alias": "aliases",
    "group": "groups",
    "identify": "identifies",
    "page": "pages",
    "screen": "screens",
    "track": "tracks",
}
"""Call → its relation."""

_OWN = {
    "message_id": "id",
    "anonymous_id": "anonymous_id",
    "user_id": "user_id",
    "group_id": "group_id",
    "previous_id": "previous_id",
    "received_at": "received_at",
    "sent_at": "sent_at",
    "timestamp": "timestamp",
    "original_timestamp": "original_timestamp",
    "name": "name",
    "category": "category",
}
"""Column → its name there."""

_OWN_OF_TRACK = _OWN | {"event": "event_text"}
"""Before it the models put `event`, the relation's name."""

_ALWAYS = {"event", "event_text", "uuid_ts", "loaded_at"}
"""Columns that the models add; no property takes their names."""

_PREFIXES = ("properties__", "traits__")

LATEST = {"identify": "users", "group": "accounts"}
"""Call → the relation with the latest known values of its traits and context."""

_TAKEN = {*RELATIONS.values(), *LATEST.values(), "event_relation"}


class EventName(NamedTuple):
    """An event's name as sent, and the relation that shows it."""

    event: str
    relation: str


class Shown(NamedTuple):
    """A column of a relation: where it comes from, and its name there.

    Of a property that an event sent in several types there is one for each of its columns, all of
    one name; `type` is what holds them all, `column_type` that of the column. Where columns.yml
    says the type, each column has a name of its own.
    """

    relation: str
    call: str
    column_name: str
    name: str
    type: str
    column_type: str


@dataclass
class SeenProperty:
    """A property as an event was seen with it."""

    first: Place
    """Where first."""
    types: set[str] = field(default_factory=set)
    """Those of its values."""


Seen = dict[str, SeenProperty]
"""Path of a property → what was seen of it."""

Types = dict[str, set[str]]
"""Path of a property → the types of its values."""


def event_names(events: Iterable[str]) -> list[EventName]:
    """The relations of events: `Order Completed` → `order_completed`.

    Args:
        events: as they were first seen: what came later takes no relation away, in a rebuild too.
    """
    named = []
    slug_of: dict[str, str] = {}
    for event in events:
        slug = shortened(snake_case(event))
        relation = "_" + slug if slug[0].isdigit() else slug
        while relation in _TAKEN or slug_of.setdefault(relation, slug) != slug:
            relation += "_"
        named.append(EventName(event, relation))
    return named


def shown_columns(
    placements: dict[str, list[Placement]],
    seen_in: dict[str, Seen],
    context: Literal["all", "seen", "none"] = "all",
    seen_elsewhere: Types | None = None,
) -> Iterator[Shown]:
    """The columns of every relation, in order: an event's own, its bag's, its context's.

    Args:
        placements: all placements of each call.
        seen_in: relation of an event → the properties it was seen with.
        context: which columns of `context` there are.
        seen_elsewhere: properties that are listed for no event, and may be any's.
    """
    for call in CALLS:
        of_call = [one for one in placements[call] if one.table_name == call and one.column_name]
        seen = {one.path for one in of_call if one.type}
        of_call = [
            one
            for one in of_call
            if context == "all"
            or _rank(str(one.column_name)) < _CONTEXT
            or (context == "seen" and one.path in seen)
        ]
        # As at Segment: `tracks` has what all events share, an event's own relation its properties.
        without_properties = call == "track"
        own = list(_shown(RELATIONS[call], call, of_call, {} if without_properties else None))
        yield from own
        if call in LATEST:
            yield from _latest(call, of_call, {one.column_name: one.name for one in own})
        if call == "track":
            for relation, seen_there in sorted(seen_in.items()):
                yield from _shown(relation, call, of_call, seen_there, seen_elsewhere or {})


def _shown(
    relation: str,
    call: str,
    placements: list[Placement],
    seen: Seen | None,
    elsewhere: Types | None = None,
) -> Iterator[Shown]:
    """The columns of one relation; of properties those that were seen, if that is said."""
    taken = set(_ALWAYS)
    own = _OWN_OF_TRACK if call == "track" else _OWN
    taken |= {own[one.column_name] for one in placements if one.column_name in own}
    owners: dict[str, Keys] = {}
    named = []
    for group in _groups(placements, "properties__", seen, elsewhere):
        name = own.get(group.base) or _name(group.base, taken)
        if name:
            if name not in taken:
                name = free_name(name, group.keys, owners)
                owners[name] = group.keys
            named.append((name, group))
    for name, group in sorted(named, key=lambda one: _rank(one[1].base)):
        for column, kind in group.columns.items():
            yield Shown(relation, call, column, name, group.type, kind)


def _latest(call: str, placements: list[Placement], names: dict[str, str]) -> Iterator[Shown]:
    """The traits and context fields of a user or an account, under the names of their calls.

    A trait has one column, whatever types it came in: only that tells which value came last.
    """
    seen: Seen = {}
    for one in placements:
        if one.first:
            of_path = seen.setdefault(one.path, SeenProperty(one.first))
            of_path.types.add(str(one.type))
    for group in sorted(_groups(placements, "traits__", seen), key=lambda one: _rank(one.base)):
        base = next(iter(group.columns))
        for column, kind in group.columns.items() if _rank(group.base) else ():
            yield Shown(LATEST[call], call, column, names[base], group.type, kind)


def _groups(
    placements: list[Placement], prefix: str, seen: Seen | None, elsewhere: Types | None = None
) -> list["_Group"]:
    """The columns of a table that a relation has.

    They are in the order in which the relation has them: what comes later takes no name away.

    Args:
        placements: those of the table.
        prefix: that of the columns of which those of one field are one here.
        seen: which of these fields, and with which types; None for each column by itself.
        elsewhere: with which types these may have come too; None if that is not known.
    """
    groups = {"message_id": _Group("message_id", (), columns={"message_id": "varchar"})}
    for one in placements:
        column = one.column_name or ""
        if one.status != "column" and one.type is not None:
            continue
        first = one.first
        if seen is None or not column.startswith(prefix):
            types = None
        elif one.path in seen:
            types, first = seen[one.path].types, seen[one.path].first
        else:
            continue
        if one.is_beside and types is not None and one.type not in types:
            continue
        if types is None or one.is_declared or one.is_beside:
            # where the type was said it is that of the plain name, and all else is beside it
            groups.setdefault(column, _Group(column, one.keys, first)).add(column, one.column_type)
            if one.sibling_name:
                sibling = _Group(one.sibling_name, one.keys, first)
                groups.setdefault(one.sibling_name, sibling).add(one.sibling_name, one.sibling_type)
        else:
            may_be = types | (elsewhere or {}).get(one.path, set())
            is_whole = elsewhere is not None and may_be <= {"bigint", LONG}
            group = groups.setdefault(
                one.path, _Group(column_name(one.keys), one.keys, first, is_whole=is_whole)
            )
            if one.type in types:
                group.add(column, one.column_type)
    return sorted(
        (group for group in groups.values() if group.columns), key=lambda group: group.first or ()
    )


@dataclass
class _Group:
    """The columns of a table that are one in a relation."""

    base: str
    """The one that has the field's plain name."""
    keys: Keys
    """The field's path."""
    first: Place | None = None
    """Where the relation has it from first, if not from the first day."""
    columns: dict[str, str] = field(default_factory=dict)
    """Each with its type."""
    is_whole: bool = False
    """Whether they are whole numbers, whatever other events have made of the columns."""

    def add(self, column: str, kind: str | None) -> None:
        """Take one more, if it is not there yet."""
        self.columns.setdefault(column, COLUMN_TYPES.get(kind or "", kind or ""))

    @property
    def type(self) -> str:
        """What holds the values of all of them."""
        types = set(self.columns.values())
        if self.is_whole:
            return "bigint"
        if len(self.columns) == 1:
            return types.pop()
        return "double" if types <= {"bigint", "double"} else "varchar"


_CONTEXT = 2


def _rank(column: str) -> int:
    """What people look for comes first, and last what is the same for all events."""
    if column.startswith("context__"):
        return _CONTEXT
    return 1 if column.startswith(_PREFIXES) else 0


def _name(column: str, taken: set[str]) -> str | None:
    """The name there of a column that is no own one, or None if it is not shown."""
    prefix = next((prefix for prefix in _PREFIXES if column.startswith(prefix)), None)
    if prefix is None and not column.startswith("context__"):
        return None
    bare = column.removeprefix(prefix or "")
    name = bare.replace("__", "_")
    if name[0].isdigit():
        name = "_" + name
    # Segment's own rule for a property that is called like one of its columns.
    while name in taken:
        name = "_" + name
    return name
