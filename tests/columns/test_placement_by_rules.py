"""Which column a field fills by budgets and by what columns.yml says, without a warehouse."""

from orchestration.columns.documented import documented_fields
from tests.columns.placing import RECEIPT_COLUMNS, columns, placed, placed_of, rules


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
    assert [one.since_load for one in own.values()] == [None, None]


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
