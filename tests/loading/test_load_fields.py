"""What a load notes of the fields it brings."""

import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.loading.noted_fields import land, seen
from tests.support import landed
from tests.support.receiver.attack import bad_input
from tests.support.warehouse import reading

pytestmark = pytest.mark.usefixtures("made_warehouse")


def test_every_path_is_noted_with_its_types(settings: Settings) -> None:
    land(settings, {"a": {"b": 1}}, {"a": {"b": "x"}}, {"a": {"b": 1.5}}, {"a": True}, {"a": None})
    load(settings)

    assert seen(settings) == [
        ("a", "boolean", 1),
        ("a", "object", 3),
        ("a.b", "bigint", 1),
        ("a.b", "double", 1),
        ("a.b", "string", 1),
    ]


def test_a_load_adds_to_what_was_counted(settings: Settings) -> None:
    for _ in range(3):
        land(settings, {"a": 1}, {"a": 2})
        load(settings)

    assert seen(settings) == [("a", "bigint", 6)]


def test_a_file_that_comes_again_is_not_counted_again(settings: Settings) -> None:
    path = landed.land(settings.landing, "track", landed.line({"a": 1}, message_id="m"))
    data = path.read_bytes()
    load(settings)
    path.write_bytes(data)
    load(settings)

    assert seen(settings) == [("a", "bigint", 1)]


def test_the_first_place_stays_the_first(settings: Settings) -> None:
    land(settings, {"a": 1}, {"b": 1})
    load(settings)
    land(settings, {"b": 2})
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select path, arg_min(first_line, first_load_id), min(first_load_id), "
            "max(last_load_id) from raw.field group by path order by path"
        ).fetchall()
    assert rows == [("a", 1, 1, 1), ("b", 2, 1, 2)]


def test_elements_of_an_array_are_noted_each_with_its_type(settings: Settings) -> None:
    land(
        settings,
        {"properties": {"products": [{"price": 1}, {"price": "2"}, 3], "mixed": [1, "a", None]}},
    )
    load(settings)

    assert seen(settings, "path like 'properties.%'") == [
        ("properties.mixed", "array", 1),
        ("properties.mixed[]", "bigint", 1),
        ("properties.mixed[]", "string", 1),
        ("properties.products", "array", 1),
        ("properties.products[]", "bigint", 1),
        ("properties.products[]", "object", 1),
        ("properties.products[].price", "bigint", 1),
        ("properties.products[].price", "string", 1),
    ]


def test_an_integer_of_more_than_64_bits_is_text(settings: Settings) -> None:
    numbers = {
        "9223372036854775807": "long",
        "-9223372036854775808": "bigint",
        "9223372036854775808": "string",
        "18446744073709551616": "string",
        "123456789012345678901234567890": "string",
        "1.0": "double",
        "1e3": "double",
        "0": "bigint",
    }
    land(settings, *(f'{{"n{place}": {number}}}' for place, number in enumerate(numbers)))
    load(settings)

    assert [kind for _, kind, _ in seen(settings)] == list(numbers.values())


def test_numbers_above_and_below_zero_in_one_array_are_whole_numbers(settings: Settings) -> None:
    land(settings, {"d": [1, -1]}, {"p": [{"lat": 1}, {"lat": -1}]})
    load(settings)

    assert seen(settings) == [
        ("d", "array", 1),
        ("d[]", "bigint", 1),
        ("p", "array", 1),
        ("p[]", "object", 1),
        ("p[].lat", "bigint", 1),
    ]


def test_a_name_with_a_nul_in_it_is_not_listed(settings: Settings) -> None:
    land(settings, '{"event": "a\\u0000b", "properties": {"p": 1}}')
    load(settings)

    with reading(settings) as con:
        assert con.execute("select distinct event from raw.field").fetchall() == [(None,)]


def test_ids_in_the_place_of_keys_are_no_fields(settings: Settings) -> None:
    land(
        settings,
        {"stock": {str(n): {"quantity": n} for n in range(500)} | {"unit": "kg"}},
        {"7": 1},
    )
    load(settings)

    assert seen(settings) == [
        ("stock", "map", 1),
        ("stock", "object", 1),
        ("stock.unit", "string", 1),
    ]


@bad_input("B187", "ten thousand numbers for keys", "the fields of one element are listed")
def test_what_may_be_a_list_with_holes_is_noted_with_what_its_elements_have(
    settings: Settings,
) -> None:
    land(
        settings,
        {"p": {str(n): {"sku": "s"} for n in range(10_000)}},
        {"p": {"2": {"a@b.example": 1, "sizes": {"0": {}, "7": 1.5}}, "5": None}},
        {"q": {"0": {"sku": "s"}, "name": "x"}, "r": {"1234567": {"sku": "s"}}},
    )
    load(settings)

    assert seen(settings) == [
        ("p", "map", 2),
        ("p", "object", 2),
        ("p[]", "map", 1),
        ("p[]", "object", 2),
        ("p[].sizes", "map", 1),
        ("p[].sizes", "object", 1),
        ("p[].sizes[]", "double", 1),
        ("p[].sizes[]", "object", 1),
        ("p[].sku", "string", 1),
        ("q", "map", 1),
        ("q", "object", 1),
        ("q.name", "string", 1),
        ("r", "map", 1),
        ("r", "object", 1),
    ]


def test_properties_are_noted_event_by_event(settings: Settings) -> None:
    land(
        settings,
        {"event": "Bought", "properties": {"price": 1}, "context": {"ip": "x"}},
        {"event": "Sold", "properties": {"price": 2}, "context": {"ip": "x"}},
        {"event": 5, "properties": {"price": 3}},
        {"event": ["no name"], "properties": {"price": 4}},
    )
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select event, path, count from raw.field "
            "where path in ('properties.price', 'context.ip') order by all"
        ).fetchall()
    assert rows == [
        ("5", "properties.price", 1),
        ("Bought", "properties.price", 1),
        ("Sold", "properties.price", 1),
        (None, "context.ip", 2),
        (None, "properties.price", 1),
    ]


def test_what_is_no_object_has_no_fields(settings: Settings) -> None:
    land(settings, "[1, 2]", '"text"', "null", "1", "{}")
    load(settings)

    assert seen(settings) == []
