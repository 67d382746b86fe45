"""Which column a field fills by budgets and by what columns.yml says, without a warehouse."""

from collections import Counter

from orchestration.columns.documented import documented_fields
from orchestration.columns.placement import Fact
from orchestration.columns.placing import place
from tests.columns.placing import RECEIPT_COLUMNS, columns, placed, placed_of, placed_with, rules


def test_beyond_the_ceiling_a_field_has_no_column_and_those_before_it_keep_theirs() -> None:
    facts = [(f"properties.p{n}", "bigint") for n in range(300)]

    found = placed(*facts, rules=rules(max_columns=200))

    with_column = [one.path for one in found.values() if one.column_name]
    assert with_column == [path for path, _ in facts[: len(with_column)]]
    assert len(with_column) + len(documented_fields("track")) + RECEIPT_COLUMNS == 200
    assert found["properties.p299", "bigint"].status == "too many columns"


FEW = {"sources": {"junk": {"max_columns": 2}}}


def test_one_source_uses_up_no_column_of_anothers() -> None:
    junk = [("junk", f"properties.junk{n}", "bigint") for n in range(5)]

    found = placed_of(*junk, ("web", "properties.honest", "string"), rules=rules(**FEW))

    assert [one.status for one in found.values()] == [
        *["column"] * 2,
        *["too many columns"] * 3,
        "column",
    ]
    assert {one.since_load for one in found.values()} == {None}


def test_without_a_rule_of_its_own_each_source_has_all_the_columns_of_a_table() -> None:
    junk = [("junk", f"properties.junk{n}", "bigint") for n in range(1_500)]
    honest = [("web", f"properties.p{n}", "bigint") for n in range(100)]

    found = placed_of(*junk, *honest)

    assert sum(found[path, kind].status == "column" for _, path, kind in junk) == (
        1_000 - len(documented_fields("track")) - RECEIPT_COLUMNS
    )
    assert {found[path, kind].status for _, path, kind in honest} == {"column"}


def test_what_a_source_had_no_room_for_begins_as_a_column_with_another_source() -> None:
    junk = [("junk", f"properties.p{n}", "bigint") for n in range(4)]

    found = placed_of(
        *junk,
        ("web", "properties.a", "string"),
        ("web", "properties.p3", "bigint"),
        ("app", "properties.p3", "bigint"),
        rules=rules(**FEW),
    )

    assert found["properties.p2", "bigint"].status == "too many columns"
    assert found["properties.p3", "bigint"].column_name == "properties__p3"
    assert found["properties.p3", "bigint"].since_load == 6
    assert list(found)[-2:] == [("properties.a", "string"), ("properties.p3", "bigint")]


def test_a_sibling_that_a_source_had_no_room_for_comes_with_another_source() -> None:
    width = ("context.screen.width", "string")

    found = placed_of(
        ("junk", "properties.a", "string"),
        ("junk", "properties.b", "string"),
        ("junk", *width),
        ("web", *width),
        rules=rules(**FEW),
    )

    assert found[width].sibling_name == "context__screen__width__string"
    assert (found[width].since_load, found[width].sibling_since_load) == (None, 4)


def test_a_field_that_may_have_come_unlisted_before_begins_with_the_load_that_lists_it() -> None:
    fields = [("web", "properties.a", "string"), ("web", "properties.b", "string")]

    found = placed_of(*fields, junk=2)
    own = placed_of(*fields, web=1)

    assert [one.since_load for one in found.values()] == [None, None]
    assert placed_of(*fields, junk=1)["properties.b", "string"].since_load == 2
    # of another event of the source's own
    assert [one.since_load for one in own.values()] == [None, 2]


ROOM = 1_000 - len(documented_fields("track")) - RECEIPT_COLUMNS
"""Columns that a source may bring to `track`."""


def test_an_event_brings_as_many_columns_as_it_leaves_to_the_others_of_its_source() -> None:
    dump = [("web", "Dump", f"properties.d{n}") for n in range(1_000)]
    more = [("web", "More", f"properties.m{n}") for n in range(1_000)]
    context = [("web", None, f"context.c{n}") for n in range(1_000)]
    bought = [("web", "Bought", f"properties.b{n}") for n in range(50)]

    found = placed_with(*dump, *more, *context, *bought)

    with_column = Counter(
        one.path[: one.path.index(".") + 2] for one in found.values() if one.column_name
    )
    assert with_column["properties.d"] == ROOM // 2
    assert with_column["properties.m"] == ROOM // 4
    assert with_column["context.c"] == -(-ROOM // 8)
    assert with_column["properties.b"] == 50
    assert found["properties.d999"].status == "too many columns"


def test_of_all_its_events_together_a_source_brings_no_more_than_it_may() -> None:
    each = [("web", f"E{n}", f"properties.p{n}") for n in range(1_000)]

    found = placed_with(*each, ("app", "E999", "properties.mine"))

    assert [one.status for one in found.values()].count("column") == ROOM + 1
    assert found["properties.mine"].status == "column"


def test_an_event_has_room_in_the_table_of_each_array() -> None:
    dump = [("web", "Dump", f"properties.products[].d{n}") for n in range(1_000)]

    found = placed_with(
        *(("web", "Dump", "properties.products"), *dump),
        ("web", "Bought", "properties.products[].sku"),
        arrays={"properties.products"},
    )

    assert found["properties.products[].sku"].status == "column"
    assert found["properties.products[].d999"].status == "too many columns"


def test_how_many_columns_an_event_brings_can_be_said_for_all_of_a_source_and_for_one() -> None:
    said = rules(
        max_columns_of_event=4,
        events={"Wide*": {"max_columns": 6}},
        sources={
            "app": {"max_columns_of_event": 2, "events": {"Wide2": {"max_columns": 3}}},
            "few": {"max_columns": 5, "max_columns_of_event": 3},
        },
    )
    events = [
        *[("web", "Bought", 4), ("web", "Wide1", 6), ("app", "Bought", 2), ("app", "Wide1", 6)],
        *[("app", "Wide2", 3), ("few", "A", 3), ("few", "B", 2)],
    ]

    found = placed_with(
        *(
            (source, event, f"properties.{source}{event}{n}")
            for source, event, _ in events
            for n in range(9)
        ),
        rules=said,
    )

    for source, event, number in events:
        of_event = [
            one for one in found.values() if one.path.startswith(f"properties.{source}{event}")
        ]
        assert [one.status for one in of_event].count("column") == number


def test_what_an_event_has_no_room_for_begins_as_a_column_with_another_event() -> None:
    few = rules(sources={"web": {"max_columns": 4}})
    dump = [("web", "Dump", f"properties.d{n}") for n in range(4)]

    found = placed_with(
        *dump, ("web", "Bought", "properties.d3"), ("web", "Sold", "properties.d2"), rules=few
    )

    began = {path: (one.status, one.since_load) for path, one in found.items()}
    assert began == {
        "properties.d0": ("column", None),
        "properties.d1": ("column", None),
        "properties.d3": ("column", 5),
        "properties.d2": ("column", 6),
    }
    assert list(found) == ["properties.d0", "properties.d1", "properties.d3", "properties.d2"]


def test_fields_can_be_refused_of_an_event_alone() -> None:
    said = rules(
        events={"Debug *": {"refuse_fields": ["*.d?"]}},
        sources={"app": {"events": {"Bought": {"refuse_fields": ["properties.d1"]}}}},
    )

    found = placed_with(
        *(("web", "Debug Dump", "properties.d0"), ("web", "Debug Dump", "properties.own")),
        *(("app", "Bought", "properties.d1"), ("app", "Sold", "properties.d1")),
        ("web", "Bought", "properties.d2"),
        rules=said,
    )

    assert {path: one.status for path, one in found.items()} == {
        "properties.d0": "refused",
        "properties.own": "column",
        "properties.d1": "column",
        "properties.d2": "column",
    }
    assert found["properties.d1"].since_load == 4


def test_each_column_is_counted_to_the_event_that_brought_it() -> None:
    facts = [
        Fact(("properties", key), "bigint", (number, "f", 1), "web", event)
        for number, (event, key) in enumerate([("A", "x"), ("B", "x"), ("B", "y"), (None, "z")])
    ]

    bringers = place("track", facts, rules()).bringers

    assert bringers == {
        ("track", "properties__x"): ("web", "A"),
        ("track", "properties__y"): ("web", "B"),
        ("track", "properties__z"): ("web", None),
    }


def test_refused_fields_have_no_column_and_take_none() -> None:
    said = rules(
        refuse_fields=["properties.junk*"], sources={"web": {"refuse_fields": ["properties.cart"]}}
    )

    found = placed_of(
        ("web", "properties.junk1", "string"),
        ("web", "properties.cart", "object"),
        ("web", "properties.cart.size", "bigint"),
        ("web", "properties.cart", "array"),
        ("web", "properties.cart[]", "bigint"),
        ("web", "context.ip", "string"),
        ("app", "properties.cart.size", "bigint"),
        ("app", "properties.my.junk1", "bigint"),
        rules=said,
    )

    statuses = {field: one.status for field, one in found.items()}
    assert statuses == {
        ("properties.junk1", "string"): "refused",
        ("properties.cart", "object"): "refused",
        ("properties.cart", "array"): "refused",
        ("properties.cart[]", "bigint"): "in json",
        ("context.ip", "string"): "column",
        ("properties.cart.size", "bigint"): "column",
        ("properties.my.junk1", "bigint"): "column",
    }
    assert found["properties.cart.size", "bigint"].since_load == 7


def test_where_fields_are_allowed_by_name_all_others_have_no_column() -> None:
    said = rules(allow_fields=["properties.products[].price", "properties.products", "traits.?"])

    found = placed_of(
        ("web", "properties.products", "array"),
        ("web", "properties.products[].price", "bigint"),
        ("web", "properties.other", "bigint"),
        ("web", "traits.a", "bigint"),
        ("web", "traits.ab", "bigint"),
        ("web", "userId", "string"),
        rules=said,
    )

    without = {path for (path, _), one in found.items() if one.status == "refused"}
    assert without == {"properties.other", "traits.ab"}


def test_a_type_that_is_said_goes_before_the_first_value() -> None:
    found = placed(
        ("properties.revenue", "string"),
        ("properties.revenue", "double"),
        ("properties.at", "string"),
        rules=rules(
            {"path": "properties.revenue", "type": "double"},
            {"path": "properties.at", "type": "timestamp"},
        ),
    )

    text = found["properties.revenue", "string"]
    assert (text.column_name, text.column_type) == ("properties__revenue", "double")
    assert text.sibling_name == "properties__revenue__string"
    assert found["properties.at", "string"].column_type == "timestamp"
    assert found["properties.at", "string"].sibling_name == "properties__at__string"


def test_what_is_to_be_json_is_not_flattened() -> None:
    found = placed(
        ("properties.cart", "object"),
        ("properties.cart.total", "double"),
        ("properties.lines", "array"),
        ("properties.lines[]", "object"),
        ("properties.lines[].sku", "string"),
        rules=rules(
            {"path": "properties.cart", "json": True}, {"path": "properties.lines", "json": True}
        ),
    )

    assert found["properties.cart", "object"].column_type == "json"
    assert found["properties.cart.total", "double"].status == "in json"
    assert found["properties.lines", "array"].column_type == "json"
    assert found["properties.lines[].sku", "string"].status == "in json"


def test_what_is_left_out_has_no_column_and_neither_has_what_it_holds() -> None:
    found = placed(
        ("properties.cart", "object"),
        ("properties.cart.total", "double"),
        ("context.ip", "string"),
        rules=rules(
            {"path": "properties.cart", "leave_out": True},
            {"path": "context.ip", "leave_out": True, "tables": ["track"]},
        ),
    )

    assert {one.status for one in found.values()} == {"left out"}


def test_a_map_that_would_show_what_is_hidden_has_no_column() -> None:
    found = placed(
        ("traits", "object"),
        ("traits", "map"),
        ("traits.email", "string"),
        call="identify",
        rules=rules({"path": "traits.email", "hash": True}),
    )

    assert found["traits", "map"].status == "left out"
    assert found["traits.email", "string"].is_hashed


def test_of_a_table_that_is_left_out_every_field_is() -> None:
    found = placed(("properties.price", "double"), rules=rules(leave_out_tables=["track"]))

    assert [one.status for one in found.values()] == ["left out"]


def test_what_is_hashed_is_text_whatever_it_was_and_has_no_table() -> None:
    found = placed(
        ("traits.email", "string"),
        ("traits.email", "bigint"),
        ("traits.phones", "array"),
        ("traits.phones[]", "string"),
        ("context.traits.phone", "string"),
        call="identify",
        rules=rules({"path": "traits", "hash": True}, {"path": "context.traits", "hash": True}),
    )

    assert columns(found) == [
        ("traits__email", "varchar"),
        ("traits__email", "varchar"),
        ("traits__phones", "varchar"),
        (None, None),
        ("context__traits__phone", "varchar"),
    ]
    assert all(one.is_hashed for one in found.values() if one.column_name)
