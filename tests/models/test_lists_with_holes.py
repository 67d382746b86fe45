"""PHP writes a list with holes as an object: its elements are where those of lists are."""

from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

EVENTS: list[dict[str, Any]] = [
    {
        # with holes before it was ever seen as a list
        "early": {"7": {"size": 1}, "2": {"size": 2, "note": "n"}},
        "products": [{"sku": "a", "price": 1, "tags": ["x"]}, {"sku": "b"}],
        "numbers": [1, 2],
    },
    {
        "early": [{"size": 3}],
        "products": {
            "0": {"sku": "c", "gift": True},
            "2": {"price": 3, "tags": {"1": "y", "5": 6}},
        },
        "numbers": {"3": 4, "0": None},
    },
    # ids and names, and not places in a list
    {"products": {"0": {"sku": "no"}, "name": "no"}, "numbers": {"01": 5}},
    {"products": {"1234567": {"sku": "no"}}, "numbers": {"-1": 5, "1": 5}},
    {"products": {}, "numbers": {"2026-11-22": 5}},
    {"stock": {"2025": {"quantity": 1}, "2026": {"quantity": 2}}},
]
BAGS = {"track": "properties", "identify": "traits"}


@pytest.fixture(scope="module")
def sent(built_house: House) -> House:
    for call, bag in BAGS.items():
        for number, sent in enumerate(EVENTS):
            event = {
                "type": call,
                "messageId": f"m{number}",
                "userId": "u",
                "event": "E",
                bag: sent,
            }
            built_house.land(call, landed.line(event))
            if number < 2:
                built_house.load()
    built_house.load()
    models = [name for call in BAGS for name in (f"stg_segment__{call}", call)]
    built_house.dbt("run", "--select", *models, "child_table", "field")
    return built_house


def elements(house: House, name: str, columns: str) -> list[tuple[Any, ...]]:
    return house.rows(
        f"select _sdc_source_key_message_id, {columns} from segment.{name} order by all"
    )


@pytest.mark.parametrize("call", BAGS)
def test_elements_of_a_list_with_holes_are_in_the_table_with_their_places(
    sent: House, call: str
) -> None:
    columns = "_sdc_level_0_id, sku, price, gift"

    assert elements(sent, f"{call}__{BAGS[call]}__products", columns) == [
        ("m0", 0, "a", 1, None),
        ("m0", 1, "b", None, None),
        ("m1", 0, "c", None, True),
        ("m1", 2, None, 3, None),
    ]


def test_a_list_with_holes_in_an_element_is_in_its_table_too(sent: House) -> None:
    columns = "_sdc_level_0_id, _sdc_level_1_id, value, value__bigint"

    assert elements(sent, "track__properties__products__tags", columns) == [
        ("m0", 0, 0, "x", None),
        ("m1", 2, 1, "y", None),
        ("m1", 2, 5, None, 6),
    ]


def test_elements_that_are_no_objects_are_too(sent: House) -> None:
    assert elements(sent, "track__properties__numbers", "_sdc_level_0_id, value") == [
        ("m0", 0, 1),
        ("m0", 1, 2),
        ("m1", 0, None),
        ("m1", 3, 4),
    ]


def test_what_came_with_holes_before_it_came_as_a_list_is_too(sent: House) -> None:
    assert elements(sent, "track__properties__early", "_sdc_level_0_id, size, note") == [
        ("m0", 2, 2, "n"),
        ("m0", 7, 1, None),
        ("m1", 0, 3, None),
    ]


def test_what_is_never_a_list_stays_json_without_a_table(sent: House) -> None:
    names = {name for (name,) in sent.rows("select name from segment.child_table")}
    ((stock,),) = sent.rows(
        "select properties__stock ->> '$.\"2026\".quantity' from segment.track "
        "where message_id = 'm5'"
    )

    assert stock == "2"
    assert "track__properties__stock" not in names
    assert sent.rows(
        "select path, status from segment.field where path like '%stock[]%' and call = 'track'"
    ) == [("properties.stock[]", "in json"), ("properties.stock[].quantity", "in json")]


def test_the_column_of_the_list_has_it_as_it_came(sent: House) -> None:
    rows = sent.rows(
        "select properties__numbers from segment.track where message_id <= 'm2' order by message_id"
    )

    assert rows == [("[1,2]",), ('{"3":4,"0":null}',), ('{"01":5}',)]


def test_verify_finds_nothing_wrong(sent: House) -> None:
    assert sent.problems() == []
