"""A user and an account have one value of each trait: the one that came last, of whatever type."""

import json
from itertools import permutations
from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

VALUES: dict[str, Any] = {
    "whole": 5,
    "fraction": 7.5,
    "long": 2**53 + 1,
    "text": "many",
    "switch": True,
    "list": [1, "a"],
}
PAIRS = list(permutations(VALUES, 2))
BEFORE = {f"{first}_{last}": VALUES[first] for first, last in PAIRS}
AFTER = {f"{first}_{last}": VALUES[last] for first, last in PAIRS}


def shown(first: str, last: str) -> Any:
    """What a trait's column has whose values were of one type, and then of another."""
    value = VALUES[last]
    if {first, last} == {"whole", "fraction"}:
        return float(value)
    if {first, last} == {"whole", "long"}:
        return value
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@pytest.mark.any_one
@pytest.mark.parametrize(
    ("call", "key", "views"),
    [("identify", "userId", ("identifies", "users")), ("group", "groupId", ("groups", "accounts"))],
)
def test_of_two_types_the_column_has_the_value_that_came_last(
    built_house: House, call: str, key: str, views: tuple[str, str]
) -> None:
    for second, traits in enumerate((BEFORE, AFTER, {"plan": "pro"})):
        event = {"type": call, key: "one", "messageId": f"m{second}", "traits": traits}
        at = f"2026-11-22T05:00:0{second}.000000Z"
        built_house.land(call, landed.line(event, received_at=at))
        built_house.load()
    built_house.dbt("run", "--select", f"stg_segment__{call}", call, *views)

    with reading(built_house.settings) as con:
        answer = con.execute(f"from segment_warehouse.{views[1]}")
        names = [name for name, *_ in answer.description]
        (row,) = answer.fetchall()
    traits = dict(zip(names, row, strict=True))
    expected = {f"{first}_{last}": shown(first, last) for first, last in PAIRS}
    assert {name: traits[name] for name in expected} == expected
    assert traits["plan"] == "pro"
    assert {name for name in traits if name.startswith(tuple(expected))} == set(expected)
