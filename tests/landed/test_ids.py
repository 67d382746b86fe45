"""What an id is, wherever one is read: one rule for what cannot be seen, one for NULs."""

import json
from itertools import combinations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.ids import is_blank, landed_message_id
from orchestration.loading.landed_file import without_nul
from tests.support.macros import macros

TEXT = st.text(st.sampled_from('\0\\u0"m'), max_size=12)


def test_every_character_is_blank_to_python_and_to_the_models_alike() -> None:
    # without surrogates, which are no text, and the planes of ideographs and private use
    codes = [*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)]
    characters = list(map(chr, codes))
    with duckdb.connect() as con:
        con.register("characters", pa.table({"one": characters}))
        rows = con.execute(
            f"select one from characters where {macros()['blank_as_null']('one')} is null"
        ).fetchall()

    assert [one for one in characters if is_blank(one)] == [one for (one,) in rows]


@pytest.mark.parametrize(
    "text", ["", " \t", "\u00a0", "\u200b", "\ufeff", "\0", "\ufffd\ufffd", "\u200b \ufeff"]
)
def test_a_text_of_nothing_visible_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["0", " a", "\u200bx", "\ufffdx", "-", "é", "m\n"])
def test_one_visible_character_is_enough(text: str) -> None:
    assert not is_blank(text)


SENT = ["m\0x", "m\\u0000x", "m\ufffdx", '"m\\u0000x"', '"m\0x"', '"\\"m\\\\u0000x\\""', "m\\\0x"]


@given(TEXT, TEXT)
def test_two_ids_stay_two_and_a_table_may_hold_them(one: str, other: str) -> None:
    landed = {landed_message_id(text) for text in (one, other)}

    assert len(landed) == len({one, other})
    assert "\0" not in "".join(landed)


def test_what_a_nul_may_be_confused_with_stays_apart() -> None:
    for one, other in combinations(SENT, 2):
        assert landed_message_id(one) != landed_message_id(other)


@given(TEXT)
def test_an_id_without_a_nul_is_the_id_that_was_sent(text: str) -> None:
    if "\0" not in text and not text.startswith('"'):
        assert landed_message_id(text) == text


def test_an_id_with_a_nul_stands_as_json_writes_it_and_the_loader_leaves_it() -> None:
    landed = landed_message_id("m\0\u00e9")

    assert landed == '"m\\u0000\u00e9"'
    assert json.loads(landed) == "m\0\u00e9"
    assert without_nul(landed) == landed


def test_of_a_line_that_landed_before_the_id_is_what_it_was() -> None:
    assert without_nul("m\0x") == "m\\u0000x"
