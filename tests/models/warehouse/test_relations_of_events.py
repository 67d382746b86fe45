"""Whatever an event is called, `tracks.event` names the relation with its rows."""

import json
from itertools import permutations
from typing import Any

from tests.support import landed
from tests.support.house import House

NAMES = ["Order Completed", "1st Order", "Users", "tracks", "5", 5, 5.5, -1, True, "true", "!", ""]


def test_the_event_of_a_track_is_the_name_of_its_relation(built_house: House) -> None:
    built_house.land(
        "track",
        *(landed.line({"messageId": f"m{n}", "event": name}) for n, name in enumerate(NAMES)),
        landed.line({"messageId": "none", "event": None}),
        landed.line({"messageId": "array", "event": ["x"]}),
    )
    built_house.load()
    built_house.dbt("run", "--select", "stg_segment__track", "track", "tracks", "event_relation")

    of = dict(built_house.rows("select id, event from segment_warehouse.tracks"))
    assert (of.pop("none"), of.pop("array")) == (None, None)
    for message_id, relation in of.items():
        found = f"select event from segment_warehouse.\"{relation}\" where id = '{message_id}'"
        assert built_house.rows(found) == [(relation,)]
        named = f'(describe segment_warehouse."{relation}")'
        names = [name for (name,) in built_house.rows(f"select column_name from {named}")]
        at = names.index("event")
        assert names[at : at + 2] == ["event", "event_text"]
        assert {"id", "user_id", "received_at", "timestamp"} <= set(names[:at])
        assert not [name for name in names[:at] if name.startswith("context_")]
    assert [of[f"m{n}"] for n in range(4)] == ["order_completed", "_1st_order", "users_", "tracks_"]


VALUES: dict[str, Any] = {
    "string": "free",
    "whole": 39,
    "fraction": 39.95,
    "long": 2**53 + 1,
    "switch": True,
    "list": [1, "a"],
}
TYPES = {
    "string": "VARCHAR",
    "whole": "BIGINT",
    "fraction": "DOUBLE",
    "long": "BIGINT",
    "switch": "BOOLEAN",
}
PAIRS = list(permutations(VALUES, 2))


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def prices(house: House, relation: str) -> tuple[list[str], list[str], list[Any]]:
    """Names and types of a relation's columns that begin with `price`, and what is in `price`."""
    columns = house.rows(
        f"select column_name, column_type from (describe segment_warehouse.{relation}) "
        "where column_name like 'price%'"
    )
    names, types = map(list, zip(*columns, strict=True))
    found = house.rows(f"select price from segment_warehouse.{relation} order by id")
    return names, types, [value for (value,) in found]


def test_a_relation_has_a_property_under_its_name_with_the_type_that_its_event_sent(
    built_house: House,
) -> None:
    """The table's column is of whatever type came first, with any event; others are beside it."""
    sent = [("Any", value) for value in VALUES.values()]
    sent += [(f"Only {kind}", value) for kind, value in VALUES.items()]
    sent += [(f"{one} then {other}", VALUES[kind]) for one, other in PAIRS for kind in (one, other)]
    for number, (name, value) in enumerate(sent):
        event = {"messageId": f"m{number:03d}", "event": name, "properties": {"price": value}}
        built_house.land("track", landed.line(event))
    built_house.load()
    built_house.dbt("run", "--select", "stg_segment__track", "track", "event_relation")

    for name in dict.fromkeys(name for name, _ in sent):
        values = [value for of, value in sent if of == name]
        names, types, found = prices(built_house, name.lower().replace(" ", "_"))
        kinds = {kind for kind, value in VALUES.items() if str(value) in map(str, values)}
        assert names == ["price"]
        if kinds == {"whole", "fraction"}:
            assert (types, found) == (["DOUBLE"], list(map(float, values)))
        elif kinds == {"whole", "long"}:
            assert (types, found) == (["BIGINT"], values)
        elif len(kinds) > 1 or kinds == {"list"}:
            assert types[0] in ("VARCHAR", "JSON")
            assert found == list(map(as_text, values))
        else:
            assert (types, found) == ([TYPES[kind] for kind in kinds], values)
