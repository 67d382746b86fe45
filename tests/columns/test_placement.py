"""Which column a field fills: the rules, without a warehouse."""

from hypothesis import example, given
from hypothesis import strategies as st

from orchestration.columns.names import LONGEST
from orchestration.columns.placement import Fact
from orchestration.columns.placing import place
from orchestration.loading.field_paths import ITEM, Keys
from tests.columns.placing import NO_RULES, columns, placed, placed_of, rules
from tests.support.receiver.attack import bad_input


def test_the_first_type_is_the_columns_and_others_get_a_sibling() -> None:
    found = placed(
        ("properties.price", "bigint"),
        ("properties.price", "string"),
        ("properties.price", "boolean"),
        ("properties.price", "array"),
    )

    assert columns(found) == [
        ("properties__price", "bigint"),
        ("properties__price__string", "varchar"),
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


def test_no_column_is_called_as_the_partitions_on_spark() -> None:
    names = ["seamline_received_date", "seamlineReceivedDate", "_seamline_received_date"]
    found = columns(placed(*((name, "string") for name in names)))

    called = [name for name, _ in found]
    assert "seamline_received_date_" in called
    assert len(set(called)) == len(names)
    assert not {"seamline_received_date", "_seamline_received_date"} & set(called)
    inside = columns(placed(("list", "array"), ("list[].seamline_received_date", "string")))
    assert ("seamline_received_date", "varchar") in inside


def test_of_two_keys_of_one_name_the_second_has_a_hash_of_its_path_behind_it() -> None:
    found = placed(
        ("properties.orderId", "string"),
        ("properties.order_id", "string"),
        ("properties.Order ID", "bigint"),
        ("properties.order_id", "bigint"),
        ("properties.orderId", "bigint"),
    )

    assert columns(found) == [
        ("properties__order_id", "varchar"),
        ("properties__order_id_d06a03e4", "varchar"),
        ("properties__order_id_e081f27f", "bigint"),
        ("properties__order_id_d06a03e4__bigint", "bigint"),
        ("properties__order_id__bigint", "bigint"),
    ]


def test_a_key_without_a_column_takes_nobodys_name() -> None:
    junk = [("junk", f"properties.{n}x", "string") for n in range(300)]
    found = placed_of(
        *junk,
        ("junk", "properties.order-id", "string"),
        ("web", "properties.order_id", "string"),
        ("web", "properties.order-id", "string"),
        rules=rules(sources={"junk": {"max_columns": 300}}),
    )

    assert found["properties.order_id", "string"].column_name == "properties__order_id"
    assert found["properties.order-id", "string"].column_name == "properties__order_id_0d7d55d5"


KEY = st.text(st.sampled_from("aA_- ö\u0308oß注"), min_size=1, max_size=4)
PATHS = st.lists(KEY, min_size=1, max_size=2).map(lambda keys: ("properties", *keys))
FACTS = st.lists(
    st.tuples(
        PATHS | PATHS.map(lambda keys: (*keys, ITEM)),
        st.sampled_from(["string", "bigint", "array"]),
    ),
    unique=True,
    max_size=12,
)


@given(FACTS)
@example([(("properties", "a-b"), "string"), (("properties", "a_b"), "string")])
@example(
    [
        (("properties", "a"), "string"),
        (("properties", "a", ITEM), "string"),  # of a list with holes: in JSON until there is one
        (("properties", "a"), "array"),
    ]
)
def test_no_two_fields_share_a_column_and_what_comes_later_moves_none(
    seen: list[tuple[Keys, str]],
) -> None:
    facts = [Fact(keys, kind, (1, "f", number)) for number, (keys, kind) in enumerate(seen)]
    found = place("track", facts, NO_RULES).placements
    whose: dict[tuple[str, str], str] = {}
    for one in found:
        if one.column_name:
            assert whose.setdefault((one.table_name, one.column_name), one.path) == one.path

    for number in range(len(facts)):
        for before in place("track", facts[:number], NO_RULES).placements:
            assert before.column_name is None or any(
                (before.table_name, before.path, before.type, before.column_name)
                == (now.table_name, now.path, now.type, now.column_name)
                for now in found
            )


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
    assert found["properties.a.b[]", "string"].table_name == "track__properties__a__b_24e7c223"


def test_two_spellings_of_an_array_have_tables_of_their_own() -> None:
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
    assert a.table_name == "track__properties__order_items"
    assert text.table_name == "track__properties__order_items_57a82cb6"
    assert text.array_column == "properties__order_items_57a82cb6"
    assert a.column_name == text.column_name == "a"


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


def test_elements_that_came_before_the_first_array_are_placed_with_it() -> None:
    """A list with holes, which PHP writes as an object; in it another one."""
    early = [
        ("properties.products", "object"),
        ("properties.products", "map"),
        ("properties.products[].sku", "string"),
        ("properties.products[].sizes", "map"),
        ("properties.products[].sizes[]", "bigint"),
    ]
    found = placed(*early)
    assert {one.status for path, one in found.items() if "[]" in path[0]} == {"in json"}

    found = placed(
        *early,
        ("properties.products", "array"),
        ("properties.products[].sku", "bigint"),
        ("properties.products[].sizes", "array"),
    )

    sku = found["properties.products[].sku", "string"]
    assert (sku.table_name, sku.column_name) == ("track__properties__products", "sku")
    assert (sku.array_table, sku.array_column) == ("track", "properties__products")
    assert found["properties.products[].sku", "bigint"].column_name == "sku__bigint"
    assert found["properties.products[].sizes", "map"].column_name == "sizes"
    size = found["properties.products[].sizes[]", "bigint"]
    assert (size.table_name, size.column_name) == ("track__properties__products__sizes", "value")


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


@bad_input("B185", "a thousand spellings of one key", "a column each, and others' keep their names")
def test_spellings_of_a_key_without_end_take_no_name_that_is_there() -> None:
    spellings = ["order" + "-" * number + "id" for number in range(1, 1_001)]
    found = placed_of(
        ("web", "properties.order_id", "string"),
        *(("junk", f"properties.{key}", "string") for key in spellings),
        ("web", "properties.other_id", "string"),
        rules=rules(max_columns=10_000),
    )

    names = [one.column_name for one in found.values()]
    assert len(set(names)) == 1_002
    assert (names[0], names[-1]) == ("properties__order_id", "properties__other_id")
    assert max(map(len, filter(None, names))) <= LONGEST
