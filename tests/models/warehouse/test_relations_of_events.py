"""Whatever an event is called, `tracks.event` names the relation with its rows."""

import json
from itertools import permutations
from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House

NAMES = ["Order Completed", "1st Order", "Users", "tracks", "5", 5, 5.5, -1, True, "true", "!", ""]


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


PRICES: list[tuple[str, Any]] = [
    *(("Any", value) for value in VALUES.values()),
    *((f"Only {kind}", value) for kind, value in VALUES.items()),
    *((f"{one} then {other}", VALUES[kind]) for one, other in PAIRS for kind in (one, other)),
]
"""The name of an event, and the price that it sends."""


@pytest.fixture(scope="module")
def sent(built_house: House) -> House:
    """Events of many names, and many types of one property."""
    built_house.land(
        "track",
        *(landed.line({"messageId": f"m{n}", "event": name}) for n, name in enumerate(NAMES)),
        landed.line({"messageId": "none", "event": None}),
        landed.line({"messageId": "array", "event": ["x"]}),
    )
    for number, (name, price) in enumerate(PRICES):  # a file each: they come one after the other
        event = {"messageId": f"price-{number:03d}", "event": name, "properties": {"price": price}}
        built_house.land("track", landed.line(event))
    built_house.load()
    built_house.dbt("run", "--select", "stg_segment__track", "track", "tracks", "event_relation")
    return built_house


@pytest.mark.long
def test_the_event_of_a_track_is_the_name_of_its_relation(sent: House) -> None:
    of = dict(
        sent.rows("select id, event from segment_warehouse.tracks where id not like 'price-%'")
    )
    assert (of.pop("none"), of.pop("array")) == (None, None)
    for message_id, relation in of.items():
        found = f"select event from segment_warehouse.\"{relation}\" where id = '{message_id}'"
        assert sent.rows(found) == [(relation,)]
        named = f'(describe segment_warehouse."{relation}")'
        names = [name for (name,) in sent.rows(f"select column_name from {named}")]
        at = names.index("event")
        assert names[at : at + 2] == ["event", "event_text"]
        assert {"id", "user_id", "received_at", "timestamp"} <= set(names[:at])
        assert not [name for name in names[:at] if name.startswith("context_")]
    assert [of[f"m{n}"] for n in range(4)] == ["order_completed", "_1st_order", "users_", "tracks_"]


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
    sent: House,
) -> None:
    """The table's column is of whatever type came first, with any event; others are beside it."""
    for name in dict.fromkeys(name for name, _ in PRICES):
        values = [value for of, value in PRICES if of == name]
        names, types, found = prices(sent, name.lower().replace(" ", "_"))
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
