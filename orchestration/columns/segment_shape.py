"""The names under which Segment Warehouses shows the same rows.

One relation per call and one per event name, `_` in place of `__`, traits and properties without a
prefix, only what the relation's own events have. (Segment's docs, connections/storage/warehouses:
schema; a property whose name is taken gets an underscore before it, as on Redshift.)
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from orchestration.columns.documented import CALLS
from orchestration.columns.names import shortened, snake_case
from orchestration.columns.placement import Placement

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

_ALWAYS = {"event", "event_text", "uuid_ts", "loaded_at"}
"""Columns that the models add; no property takes their names."""

_PREFIXES = ("properties__", "traits__")

_TAKEN = {*RELATIONS.values(), "users", "accounts", "event_relation"}


class EventName(NamedTuple):
    """An event's name as sent, and the relation that shows it."""

    event: str
    relation: str


class Shown(NamedTuple):
    """A column of a relation: where it comes from, and its name there."""

    relation: str
    call: str
    column_name: str
    name: str


def event_names(events: Iterable[str]) -> list[EventName]:
    """The relations of events: `Order Completed` → `order_completed`."""
    named = []
    slug_of: dict[str, str] = {}
    # Sorted, so that a rebuild gives the same `_` to the same one of two names that collide.
    for event in sorted(events):
        slug = shortened(snake_case(event))
        relation = "_" + slug if slug[0].isdigit() else slug
        while relation in _TAKEN or slug_of.setdefault(relation, slug) != slug:
            relation += "_"
        named.append(EventName(event, relation))
    return named


def shown_columns(
    placements: dict[str, list[Placement]], seen_in: dict[str, set[str]]
) -> Iterator[Shown]:
    """The columns of every relation, in order.

    Args:
        placements: all placements of each call.
        seen_in: relation of an event → paths of the properties it was seen with.
    """
    for call in CALLS:
        of_call = [one for one in placements[call] if one.table_name == call and one.column_name]
        # As at Segment: `tracks` has what all events share, an event's own relation its properties.
        without_properties = call == "track"
        yield from _shown(RELATIONS[call], call, of_call, set() if without_properties else None)
        if call == "track":
            for relation, paths in sorted(seen_in.items()):
                yield from _shown(relation, call, of_call, paths)


def _shown(
    relation: str, call: str, placements: list[Placement], paths: set[str] | None
) -> Iterator[Shown]:
    """The columns of one relation; of properties those at some paths, if that is said."""
    taken = set(_ALWAYS)
    done = set()
    columns = [("message_id", "")]
    taken |= {_OWN[one.column_name] for one in placements if one.column_name in _OWN}
    for one in placements:
        if one.status == "column" or one.type is None:
            columns.append((one.column_name or "", one.path))
            if one.sibling_name:
                columns.append((one.sibling_name, one.path))
    for column, path in columns:
        if column in done or (
            paths is not None and column.startswith("properties__") and path not in paths
        ):
            continue
        name = _name(column, taken)
        if name:
            done.add(column)
            taken.add(name)
            yield Shown(relation, call, column, name)


def _name(column: str, taken: set[str]) -> str | None:
    """A column's name there, or None if it is not shown."""
    if column in _OWN:
        return _OWN[column]
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
