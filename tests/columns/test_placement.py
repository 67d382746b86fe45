"""Which column a field fills: the rules, without a warehouse."""

from orchestration.columns.documented import documented_fields
from orchestration.columns.placement import Fact, Placement, place
from orchestration.columns.rules import ColumnRules
from orchestration.loading.field_paths import ITEM

NO_RULES = ColumnRules()
RECEIPT_COLUMNS = 8


def placed(
    *facts: tuple[str, str], call: str = "track", rules: ColumnRules = NO_RULES
) -> dict[tuple[str, str], Placement]:
    """Place fields seen in this order, each a path and a type."""
    numbered = [
        Fact(tuple(path.replace("[]", f".{ITEM}").split(".")), kind, (1, "file", number))
        for number, (path, kind) in enumerate(facts)
    ]
    return {(one.path, one.type): one for one in place(call, numbered, rules) if one.type}


def columns(found: dict[tuple[str, str], Placement]) -> list[tuple[str | None, str | None]]:
    """The columns they fill, in the order in which they were seen."""
    return [(one.column_name, one.column_type) for one in found.values()]


def placed_of(
    *facts: tuple[str, str, str], rules: ColumnRules = NO_RULES, **unlisted: int
) -> dict[tuple[str, str], Placement]:
    """Place fields of several sources, each a source, a path and a type, and each of a load."""
    numbered = [
        Fact(tuple(path.replace("[]", f".{ITEM}").split(".")), kind, (number, "f", 1), source)
        for number, (source, path, kind) in enumerate(facts, 1)
    ]
    found = place("track", numbered, rules, unlisted)
    return {(one.path, one.type): one for one in found if one.type}


def rules(*fields: dict[str, object], **others: object) -> ColumnRules:
    return ColumnRules.model_validate({"fields": fields, **others})


def test_the_first_type_is_the_columns_and_others_get_a_sibling() -> None:
    found = placed(
        ("properties.price", "bigint"),
        ("properties.price", "string"),
        ("properties.price", "double"),
        ("properties.price", "boolean"),
        ("properties.price", "array"),
    )

    assert columns(found) == [
        ("properties__price", "bigint"),
        ("properties__price__string", "varchar"),
        ("properties__price__double", "double"),
        ("properties__price__boolean", "boolean"),
        ("properties__price__json", "json"),
    ]


def test_a_whole_number_in_a_double_column_is_no_conflict() -> None:
    found = placed(("properties.price", "double"), ("properties.price", "bigint"))

    assert columns(found) == [("properties__price", "double")] * 2
    assert {one.read_as for one in found.values()} == {"double"}


def test_what_comes_later_moves_nothing_that_came_before() -> None:
    before = placed(("properties.a", "bigint"), ("properties.b", "string"))
    after = placed(
        ("properties.a", "bigint"),
        ("properties.b", "string"),
        ("properties.a", "string"),
        ("properties.b.c", "string"),
    )

    for field, placement in before.items():
        assert (after[field].column_name, after[field].column_type) == (
            placement.column_name,
            placement.column_type,
        )


def test_two_keys_of_one_name_share_a_column() -> None:
    found = placed(
        ("properties.orderId", "string"),
        ("properties.order_id", "string"),
        ("properties.Order ID", "bigint"),
    )

    assert columns(found) == [
        ("properties__order_id", "varchar"),
        ("properties__order_id", "varchar"),
        ("properties__order_id__bigint", "bigint"),
    ]


def test_a_documented_field_takes_what_can_be_read_as_its_type() -> None:
    found = placed(
        ("userId", "bigint"),
        ("context.screen.width", "bigint"),
        ("context.screen.width", "string"),
        ("context.network.wifi", "bigint"),
        ("version", "string"),
    )

    assert columns(found)[:4] == [
        ("user_id", "varchar"),
        ("context__screen__width", "double"),
        ("context__screen__width", "double"),
        ("context__network__wifi__bigint", "bigint"),
    ]
    assert found["context.screen.width", "string"].sibling_name == "context__screen__width__string"
    assert found["context.screen.width", "bigint"].sibling_name is None


def test_no_other_key_gets_the_column_of_a_documented_field_or_of_ours() -> None:
    found = placed(
        ("user_id", "string"),
        ("message_id", "string"),
        ("context.IP", "string"),
        ("_sdc_sequence", "bigint"),
        ("_seamline_file", "string"),
        ("originaltimestamp", "string"),
    )

    assert [name for name, _ in columns(found)] == [
        "user_id_",
        "message_id_",
        "context__ip_",
        "_sdc_sequence_",
        "_seamline_file_",
        "originaltimestamp",
    ]


def test_objects_are_flattened_and_maps_are_json() -> None:
    found = placed(
        ("properties.address", "object"),
        ("properties.address.city", "string"),
        ("properties.stock", "object"),
        ("properties.stock", "map"),
    )

    assert found["properties.address", "object"].status == "nested"
    assert found["properties.address.city", "string"].column_name == "properties__address__city"
    assert found["properties.stock", "map"].column_type == "json"


def test_an_array_is_a_json_column_and_a_table() -> None:
    found = placed(
        ("properties.products", "array"),
        ("properties.products[]", "object"),
        ("properties.products[].sku", "string"),
        ("properties.products[].sizes", "array"),
        ("properties.products[].sizes[]", "bigint"),
        ("properties.tags", "array"),
        ("properties.tags[]", "string"),
    )

    sku = found["properties.products[].sku", "string"]
    assert (sku.table_name, sku.column_name) == ("track__properties__products", "sku")
    assert (sku.array_table, sku.array_column) == ("track", "properties__products")
    size = found["properties.products[].sizes[]", "bigint"]
    assert (size.table_name, size.column_name) == ("track__properties__products__sizes", "value")
    assert (size.array_table, size.array_column) == ("track__properties__products", "sizes")
    assert found["properties.tags[]", "string"].column_name == "value"


def test_arrays_of_one_name_in_different_places_have_tables_of_their_own() -> None:
    found = placed(
        ("properties.a", "array"),
        ("properties.a[]", "object"),
        ("properties.a[].b", "array"),
        ("properties.a[].b[]", "string"),
        ("properties.a.b", "array"),
        ("properties.a.b[]", "string"),
    )

    assert found["properties.a[].b[]", "string"].table_name == "track__properties__a__b"
    assert found["properties.a.b[]", "string"].table_name == "track__properties__a__b_"


def test_two_spellings_of_one_array_are_read_as_one() -> None:
    found = placed(
        ("properties.orderItems", "array"),
        ("properties.orderItems[]", "object"),
        ("properties.orderItems[].a", "bigint"),
        ("properties.order_items", "array"),
        ("properties.order_items[]", "object"),
        ("properties.order_items[].a", "string"),
    )

    a, text = (
        found["properties.orderItems[].a", "bigint"],
        found["properties.order_items[].a", "string"],
    )
    assert a.table_name == text.table_name == "track__properties__order_items"
    assert (a.column_name, text.column_name) == ("a", "a__string")
    assert a.read_as == text.read_as == "json"


def test_a_key_that_folds_to_the_name_of_one_with_a_rule_has_a_column_of_its_own() -> None:
    found = placed(
        ("properties.Price", "bigint"),
        ("properties.price", "double"),
        ("traits.Email", "string"),
        ("traits.email", "string"),
        ("address.City", "string"),
        ("address.city", "string"),
        rules=rules(
            {"path": "properties.price", "type": "double"},
            {"path": "traits.email", "hash": True},
            {"path": "address.City", "hash": True},
        ),
    )

    assert columns(found) == [
        ("properties__price_", "bigint"),
        ("properties__price", "double"),
        ("traits__email_", "varchar"),
        ("traits__email", "varchar"),
        ("address__city", "varchar"),
        ("address__city_", "varchar"),
    ]


def test_an_array_in_an_array_stays_json() -> None:
    found = placed(
        ("properties.grid", "array"),
        ("properties.grid[]", "array"),
        ("properties.grid[][]", "bigint"),
    )

    assert found["properties.grid[]", "array"].column_type == "json"
    assert found["properties.grid[][]", "bigint"].status == "in json"


def test_what_documented_json_holds_has_no_columns_of_its_own() -> None:
    found = placed(
        ("integrations", "object"),
        ("integrations.All", "boolean"),
        ("context.userAgentData.brands", "array"),
        ("context.userAgentData.brands[]", "object"),
        ("context.userAgentData.brands[].brand", "string"),
    )

    assert found["integrations", "object"].column_name == "integrations"
    assert found["integrations.All", "boolean"].status == "in json"
    brand = found["context.userAgentData.brands[].brand", "string"]
    assert brand.table_name == "track__context__user_agent_data__brands"


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


def test_keys_that_differ_by_case_alone_are_read_apart() -> None:
    """DuckDB does not tell such names in a struct apart."""
    found = placed(("properties.userid", "string"), ("properties.USERID", "string"))

    assert [one.is_apart for one in found.values()] == [True, False] or [
        one.is_apart for one in found.values()
    ] == [False, True]


def test_no_column_hides_a_word_of_ducklakes() -> None:
    found = placed(
        ("filename", "string"),
        ("filename", "bigint"),
        ("rowId", "string"),
        ("rowid", "string"),
        ("snapshotId", "bigint"),
        ("file_row_number", "bigint"),
        ("fileIndex", "bigint"),
        ("properties.filename", "string"),
    )

    assert [name for name, _ in columns(found)] == [
        "filename_",
        "filename___bigint",
        "row_id",
        "rowid_",
        "snapshot_id_",
        "file_row_number_",
        "file_index_",
        "properties__filename",
    ]
