"""What the columns and tables are called."""

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.settings import ROOT
from orchestration.columns.names import LONGEST, column_name, snake_case, table_name
from orchestration.loading.field_paths import (
    ID_LIKE,
    ITEM,
    PLACE,
    are_places,
    is_id_like,
    keys_of,
    path_text,
)
from tests.support.macros import macros
from tests.support.receiver.attack import bad_input

SEGMENTS_PAIRS = {
    "CStringRef": "cstring_ref",
    "THE5r": "the5r",
    "5TEst": "5test",
    "2FA Enabled": "2fa_enabled",
    "edf_6N": "edf_6n",
    "f_pX9": "f_p_x9",
    "p_z9Rg": "p_z9_rg",
    "lk0B@bFmjrLQ_Z6YL": "lk0_b_b_fmjr_lq_z6yl",
    "samPLE text": "sam_ple_text",
    "sample___text": "sample_text",
    "•¶§˚foo˙∆˚¬": "foo",
    "userId": "user_id",
    "orderID": "order_id",
    "order-id": "order_id",
    "Order Completed": "order_completed",
}


@pytest.mark.parametrize(("key", "name"), SEGMENTS_PAIRS.items())
def test_snake_case_is_segments(key: str, name: str) -> None:
    assert snake_case(key) == name


@given(st.text(st.characters(codec="ascii")).filter(lambda key: re.search("[A-Za-z0-9]", key)))
def test_a_key_in_ascii_is_called_what_segments_own_algorithm_calls_it(key: str) -> None:
    words = re.findall("[A-Z0-9]+[a-z0-9]*|[a-z0-9]+", key)

    assert snake_case(key).removeprefix("_" * key.startswith("_")) == "_".join(words).lower()


@pytest.mark.parametrize(
    ("key", "name"),
    {
        "Größe Θ": "größe_θ",
        "größeXL": "größe_xl",
        "STRAẞE": "straße",
        "Őr": "őr",
        "fwHƒ0T": "fw_hƒ0_t",
        "ΑΒΓ-ΔΕ": "αβγ_δε",
        "ΟΔΟΣ": "οδος",
        "ЦенаТовара": "цена_товара",
        "Անուն": "անուն",
        "שם משתמש": "שם_משתמש",
        "سعر المنتج": "سعر_المنتج",
        "हिन्दी कीमत": "हिन्दी_कीमत",
        "ราคา น้ำ": "ราคา_น้ำ",
        "注文番号": "注文番号",
        "注文ID": "注文_id",
        "ラーメン": "ラーメン",
        "주문 번호": "주문_번호",
        "٣ items": "٣_items",
        "CO²": "co²",
    }.items(),
)
def test_letters_and_digits_of_any_script_stay_with_the_marks_on_them(key: str, name: str) -> None:
    assert snake_case(key) == name


@pytest.mark.parametrize(
    ("key", "name"),
    {
        "e\u0301te\u0301": "\u00e9t\u00e9",  # one letter in two ways
        "J\u030cx": "\u01f0x",  # one that has a form of its own in small letters alone
        "\u0130stanbul": "istanbul",  # its small letter would be two characters
        "\u0301x": "x",  # a mark on nothing
        "\u200f\u05d0\u200e": "\u05d0",  # marks of direction
        "\u0645\u06cc\u200c\u062e": "\u0645\u06cc\u062e",  # a joiner of no width
        "user\u200bId": "user_id",
        "a\ufe0fb\u00adc": "abc",  # a variant, a soft hyphen
        "a\u3164b": "ab",  # a filler, which is a letter to Unicode
        "1\ufe0f\u20e3": "1",
        "\ud83da": "a",  # half a character
        "\u3164": "u3164",
    }.items(),
)
def test_what_cannot_be_seen_is_in_no_name(key: str, name: str) -> None:
    assert snake_case(key) == name


@pytest.mark.parametrize(
    ("key", "name"),
    {
        "_count": "_count",
        "___$$Base64Encode": "_base64_encode",
        "🙂": "u1f642",
        "": "empty",
        " ": "u20",
        "--": "u2du2d",
        "_": "_u5f",
    }.items(),
)
def test_a_key_without_letters_and_digits_still_gets_a_name(key: str, name: str) -> None:
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


@pytest.mark.parametrize("letter", ["a", "ж", "注", "𐐨"])
def test_a_long_name_is_cut_to_its_bytes_and_stays_its_own(letter: str) -> None:
    long, other = letter * 5_000, letter * 4_999 + "b"
    name = column_name(("properties", long))

    assert LONGEST - 3 <= len(name.encode()) <= LONGEST
    assert name != column_name(("properties", other))


KEYS = st.text(
    st.sampled_from("aAB_ -.1öÖO\u0308ßẞςΣ注🙂\u200b\u0301\ufffd"), max_size=6
) | st.text(max_size=60)


@given(st.lists(KEYS, min_size=1, max_size=3))
def test_every_name_is_one_that_can_be_shown_typed_and_held(keys: list[str]) -> None:
    name = column_name(tuple(keys))

    assert name == name.lower() == unicodedata.normalize("NFC", name)
    assert all(unicodedata.category(one)[0] in "LN" for one in unmarked(name).replace("_", "a"))
    assert 0 < len(name.encode()) <= LONGEST


@bad_input("B186", "keys with nothing that is seen, or marks of direction", "a name that is seen")
def test_a_name_has_nothing_that_hides_or_turns_what_stands_around_it() -> None:
    for key in ("\u202e", "\u200b", "\ufeff\u2066", "a\u202eb", "\u115f", "\U000e0041x"):
        assert all(unicodedata.category(one) in {"Ll", "Nd", "Pc"} for one in snake_case(key))


def unmarked(name: str) -> str:
    """A name without the marks that are on a letter."""
    return "".join(
        one
        for before, one in pairwise("_" + name)
        if unicodedata.category(one) not in {"Mn", "Mc"} or before == "_"
    )


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


@pytest.mark.parametrize("keys", [["0"], ["2", "0"], ["999999", "10"]])
def test_keys_that_may_be_places_in_a_list_are_known(keys: list[str]) -> None:
    assert are_places(keys)


@pytest.mark.parametrize(
    "keys", [[], ["0", "a"], ["01"], ["-1"], ["1.0"], ["1000000"], ["٣"], ["1\n"], [""], ["0", ""]]
)
def test_others_are_not(keys: list[str]) -> None:
    assert not are_places(keys)


def test_the_warehouse_asks_the_same_of_a_key() -> None:
    assert macros()["place_in_list"]() == PLACE
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
