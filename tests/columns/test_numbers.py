"""Numbers have one column: whole ones, fractions, and beside it what a double does not hold."""

from itertools import permutations

import pytest

from orchestration.columns.placement import SCALARS, Placement
from orchestration.columns.segment_shape import SeenProperty, shown_columns
from orchestration.loading.observed_fields import shape
from tests.columns.placing import NO_RULES, columns, placed, placed_of, rules

PRICE = "properties.price"
IN_AN_ARRAY = "properties.items[].price"


def of(*types: str, path: str = PRICE) -> dict[str, tuple[str | None, str | None]]:
    """Type → name and type of the column for the values of one field, seen in this order."""
    arrays = [("properties.items", "array"), ("properties.items[]", "object")]
    facts = [*(arrays if "[]" in path else []), *((path, kind) for kind in types)]
    found = placed(*facts)
    return {kind: (found[path, kind].column_name, found[path, kind].column_type) for kind in types}


@pytest.mark.parametrize(
    ("path", "name"), [(PRICE, "properties__price"), (IN_AN_ARRAY, "price"), ("price", "price")]
)
def test_a_column_of_whole_numbers_that_meets_a_fraction_becomes_double(
    path: str, name: str
) -> None:
    for order in permutations(["bigint", "double"]):
        assert of(*order, path=path) == {"bigint": (name, "double"), "double": (name, "double")}


def test_a_fraction_of_another_key_of_the_same_name_widens_its_own_column() -> None:
    found = columns(placed(("properties.Price", "bigint"), ("properties.price", "double")))

    assert found[0] == ("properties__price", "bigint")
    assert [kind for _, kind in found] == ["bigint", "double"]


@pytest.mark.parametrize("first", ["string", "boolean", "array"])
def test_beside_a_column_of_another_type_all_numbers_are_in_one(first: str) -> None:
    for order in permutations(["bigint", "double"]):
        found = of(first, *order)
        assert found["bigint"] == found["double"] == (f"properties__price__{order[0]}", "double")


def test_beside_a_documented_column_too() -> None:
    path = "context.network.wifi"
    found = placed((path, "bigint"), (path, "double"))

    assert columns(found) == [("context__network__wifi__bigint", "double")] * 2


@pytest.mark.parametrize("order", list(permutations(["bigint", "long", "double", "string"])))
def test_what_a_double_does_not_hold_is_a_text_in_whichever_order_they_come(
    order: tuple[str, ...],
) -> None:
    found = of(*order)

    number, _ = found["bigint"]
    assert found["bigint"] == found["double"] == (number, "double")
    assert found["long"] == found["string"]
    if order[0] == "string":
        assert found["long"] == ("properties__price", "varchar")
    else:
        assert (number, found["long"]) == (
            "properties__price", ("properties__price__string", "varchar"),
        )  # fmt: skip


def test_without_fractions_all_whole_numbers_are_bigint() -> None:
    assert set(of("bigint", "long").values()) == {("properties__price", "bigint")}
    assert placed((PRICE, "bigint"), (PRICE, "long"))[PRICE, "long"].read_as == "bigint"


@pytest.mark.parametrize("kind", ["double", "bigint", "string", "boolean"])
def test_a_declared_type_stays(kind: str) -> None:
    said = rules({"path": PRICE, "type": kind})
    found = placed((PRICE, "bigint"), (PRICE, "long"), (PRICE, "double"), rules=said)

    own = [one for one in found.values() if one.column_name == "properties__price"]
    assert {one.column_type for one in own} <= {SCALARS[kind]}
    long = found[PRICE, "long"]
    if kind == "double":
        assert (long.column_name, long.column_type) == ("properties__price__string", "varchar")
        assert found[PRICE, "bigint"].read_as == "json"


def test_a_fraction_that_would_cost_digits_their_place_waits_for_room() -> None:
    few = rules(sources={"full": {"max_columns": 0}})
    facts = [("web", PRICE, "long"), ("full", PRICE, "double")]
    full = placed_of(*facts, rules=few)

    assert full[PRICE, "double"].status == "too many columns"
    assert full[PRICE, "long"].column_type == "bigint"

    later = placed_of(*facts, ("web", PRICE, "double"), rules=few)

    assert later[PRICE, "double"].since_load == 3
    assert later[PRICE, "double"].read_as == "json"
    assert columns(later) == [
        ("properties__price", "double"),
        ("properties__price__string", "varchar"),
    ]


def test_widening_takes_no_room() -> None:
    few = rules(sources={"full": {"max_columns": 0}})
    found = placed_of(("web", PRICE, "bigint"), ("full", PRICE, "double"), rules=few)

    assert columns(found) == [("properties__price", "double")] * 2


def test_a_column_for_digits_comes_where_a_table_that_was_there_gets_it() -> None:
    found = placed((PRICE, "long"), ("properties.b", "string"), (PRICE, "double"), ("c", "string"))

    names = [name for name, _ in columns(found)]
    assert names == ["properties__b", "properties__price", "properties__price__string", "c"]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (2**53, "BIGINT"),
        (2**53 + 1, "LONG"),
        (-(2**53) - 1, "LONG"),
        (2**53 + 2, "BIGINT"),
        (10**18, "BIGINT"),
        (2**63 - 1, "LONG"),
        (-(2**63), "BIGINT"),
        (2**63, "VARCHAR"),
        (float(2**60), "DOUBLE"),
    ],
)
def test_a_whole_number_is_long_if_a_double_has_other_digits(number: float, kind: str) -> None:
    assert shape(number) == kind


def test_in_the_relation_of_an_event_nothing_of_a_number_is_lost() -> None:
    placements: dict[str, list[Placement]] = {
        call: [] for call in ("alias", "group", "identify", "page", "screen")
    }
    placements["track"] = list(
        placed(*((PRICE, kind) for kind in ("bigint", "double", "long")), rules=NO_RULES).values()
    )

    def price(*types: str, elsewhere: str = "bigint") -> set[str]:
        seen = {"bought": {PRICE: SeenProperty((1, "a", 1), set(types))}}
        shown = shown_columns(placements, seen, seen_elsewhere={PRICE: {elsewhere}})
        return {one.type for one in shown if (one.relation, one.name) == ("bought", "price")}

    assert price("bigint", "double") == {"double"}
    assert price("double", "long") == {"varchar"}
    # of whole numbers alone it is as without the fractions of others
    assert price("bigint", "long") == price("bigint") == price("long") == {"bigint"}
    # unless some that are listed for no event may be this one's
    assert price("bigint", elsewhere="double") == {"double"}
    assert price("bigint", "long", elsewhere="double") == {"varchar"}
