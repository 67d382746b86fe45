"""What the columns and tables are called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.settings import ROOT
from orchestration.columns.names import LONGEST, column_name, snake_case, table_name
from orchestration.loading.field_paths import ID_LIKE, ITEM, is_id_like, keys_of, path_text

SEGMENTS_PAIRS = {
    "CStringRef": "cstring_ref",
    "THE5r": "the5r",
    "5TEst": "5test",
    "2FA Enabled": "2fa_enabled",
    "edf_6N": "edf_6n",
    "f_pX9": "f_p_x9",
    "p_z9Rg": "p_z9_rg",
    "@49L0S145_¬fwHƒ0TSLNVp": "49l0s145_fw_h_0tslnvp",
    "lk0B@bFmjrLQ_Z6YL": "lk0_b_b_fmjr_lq_z6yl",
    "samPLE text": "sam_ple_text",
    "sample___text": "sample_text",
    "•¶§ƒ˚foo˙∆˚¬": "foo",
    "userId": "user_id",
    "orderID": "order_id",
    "order-id": "order_id",
    "Order Completed": "order_completed",
}


@pytest.mark.parametrize(("key", "name"), SEGMENTS_PAIRS.items())
def test_snake_case_is_segments(key: str, name: str) -> None:
    assert snake_case(key) == name


@pytest.mark.parametrize(
    ("key", "name"),
    {
        "_count": "_count",
        "___$$Base64Encode": "_base64_encode",
        "注文番号": "注文番号",
        "Größe Θ": "gr_e",
        "ΑΒΓ-ΔΕ": "αβγ_δε",
        "🙂": "u1f642",
        "": "empty",
        " ": "u20",
        "--": "u2du2d",
        "_": "_u5f",
    }.items(),
)
def test_a_key_without_latin_letters_still_gets_a_readable_name(key: str, name: str) -> None:
    """A leading underscore stays, as at Stitch (`_metadata`, `properties__category___count`)."""
    assert snake_case(key) == name


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (("context", "userAgentData", "wow64"), "context__user_agent_data__wow64"),
        (("properties", "category", "_count"), "properties__category___count"),
        (("properties", 'a"; drop table track; --'), "properties__a_drop_table_track"),
        (("properties", "select"), "properties__select"),
        (("properties", "price", "string"), "properties__price__string_"),
        (("properties", "price", "double"), "properties__price__double_"),
        (("string",), "string"),
        (("properties", "products", ITEM, "productId"), "product_id"),
        (("properties", "tags", ITEM), "value"),
    ],
)  # fmt: skip
def test_levels_are_two_underscores_apart(keys: tuple[str, ...], name: str) -> None:
    assert column_name(keys) == name


def test_a_table_of_an_array_is_called_after_its_path() -> None:
    assert table_name("track", ("properties", "price")) == "track"
    assert table_name("track", ("_metadata", "bundled", ITEM)) == "track___metadata__bundled"
    keys = ("properties", "products", ITEM, "variants", ITEM, "size")
    assert table_name("track", keys) == "track__properties__products__variants"
    assert column_name(keys) == "size"


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    long, other = "a" * 5_000, "a" * 4_999 + "b"

    assert len(column_name(("properties", long))) == LONGEST
    assert column_name(("properties", long)) != column_name(("properties", other))


@pytest.mark.parametrize(
    "key",
    [
        *(
            "28",
            "0",
            "2026-11-22",
            "2026-11",
            "2026-11-22T05:24:46Z",
            "a@example.com",
            "[]",
            "a\0b",
        ),
        *("507f191e810c19729de860ea", "022bb90c-bbac-11e4-8dfc-aa07a5b093db"),
    ],
)
def test_an_id_in_the_place_of_a_key_is_known(key: str) -> None:
    assert is_id_like(key)


@pytest.mark.parametrize("key", ["price", "utm_campaign2019", "2FA", "x28", "", "1st", "deadbeef"])
def test_a_name_is_not_taken_for_an_id(key: str) -> None:
    assert not is_id_like(key)


def test_the_warehouse_asks_the_same_of_a_key() -> None:
    macro = (ROOT / "dbt_project/macros/payload.sql").read_text().partition("macro id_like()")[2]
    patterns = re.findall(r"^ {8}'(.*)',$", macro, re.MULTILINE)

    assert "|".join(patterns).replace("\\\\", "\\") == ID_LIKE


def test_a_path_is_written_as_a_person_would() -> None:
    assert path_text(("properties", "products", ITEM, "price")) == "properties.products[].price"
    assert path_text(("properties", "a.b", "", 'c"d')) == 'properties."a.b".""."c""d"'


@given(st.lists(st.text().filter(lambda key: key != ITEM), min_size=1, max_size=4))
def test_a_path_that_was_written_is_read_again(keys: list[str]) -> None:
    assert keys_of(path_text(tuple(keys))) == tuple(keys)


def test_an_element_of_an_array_is_read_too() -> None:
    keys = ("properties", "a.b", ITEM, "c")

    assert keys_of(path_text(keys)) == keys
