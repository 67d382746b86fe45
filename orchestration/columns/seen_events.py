"""The events that were seen, as `raw.field` lists them, and the properties they came with."""

from collections import Counter

import duckdb

from orchestration.columns.rules import ColumnRules
from orchestration.columns.segment_shape import EventName, Seen, SeenProperty, Types


def named_events(con: duckdb.DuckDBPyConnection, rules: ColumnRules) -> list[str]:
    """The events that have a relation, as first seen: of each source as many as it may have."""
    rows = con.execute(
        "select source, event from raw.field where event is not null "
        "group by all order by min((first_load_id, first_file, first_line)), event"
    ).fetchall()
    named: dict[str, None] = {}
    brought: Counter[str | None] = Counter()
    for source, event in rows:
        has_room = brought[source] < rules.events_of(source)
        if has_room and event not in named and rules.allows_event(source, event):
            brought[source] += 1
            named[event] = None
    return list(named)


def seen_in_relations(con: duckdb.DuckDBPyConnection, names: list[EventName]) -> dict[str, Seen]:
    """Relation of an event → the properties that it was seen with."""
    relation_of = {name.event: name.relation for name in names}
    seen: dict[str, Seen] = {relation: {} for relation in relation_of.values()}
    rows = con.execute(
        "select event, path, type, min((first_load_id, first_file, first_line)) as first "
        "from raw.field where event is not null group by event, path, type order by first"
    ).fetchall()
    for event, path, kind, first in rows:
        if event in relation_of:
            of_relation = seen[relation_of[event]]
            of_relation.setdefault(path, SeenProperty(tuple(first))).types.add(kind)
    return seen


def seen_elsewhere(con: duckdb.DuckDBPyConnection) -> Types:
    """The properties that are listed for no event; all of them, if there are some not listed."""
    is_all_listed = not con.execute(
        "from raw.field where call = 'track' and path = '' limit 1"
    ).fetchone()
    rows = con.execute(
        "select distinct path, type from raw.field "
        "where call = 'track' and path <> '' and (event is null or not $1)",
        [is_all_listed],
    ).fetchall()
    seen: Types = {}
    for path, kind in rows:
        seen.setdefault(path, set()).add(kind)
    if not is_all_listed:
        for types in seen.values():
            types.add("not listed")
    return seen
