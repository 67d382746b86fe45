"""No text column has a NUL: DuckLake cannot look for one, and an event of one stops no other."""

import json
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros

TEXT = st.text(st.sampled_from('\0\\u0"é€😀/'), max_size=12)
DOCUMENTS = st.recursive(
    TEXT | st.integers(-9, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def cleaned(value: Any) -> Any:
    """A value with what may be shown in the place of each NUL."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [cleaned(one) for one in value]
    if isinstance(value, dict):
        return {cleaned(key): cleaned(one) for key, one in value.items()}
    return value


@given(DOCUMENTS, st.booleans())
def test_every_nul_of_a_document_becomes_what_can_be_looked_for(
    document: Any, is_ascii: bool
) -> None:
    text = json.dumps(document, ensure_ascii=is_ascii)
    sql = macros()["without_nul"]("$1::json")

    ((found,),) = duckdb.execute(f"select {sql}", [text]).fetchall()

    assert json.loads(found) == cleaned(document)


NUL_EVERYWHERE = {
    "type": "track",
    "messageId": "m\0x",
    "userId": "u\0",
    "event": "E\0",
    "context": {"page": {"url": "\0"}, "k\0": 1},
    "properties": {"name": "a\0b", "k\0": "v\0", "list": ["\0"], "escaped": "\\u0000"},
}


@pytest.fixture(scope="module")
def modelled(built_house: House) -> House:
    """Three loads, each modelled: the second meets rows with what once was a NUL."""
    for number in range(3):
        own = {"type": "track", "messageId": f"plain-{number}", "userId": "u", "event": "E"}
        built_house.land(
            "track",
            landed.line(NUL_EVERYWHERE, received_at=f"2026-11-22T05:24:4{number}.000000Z"),
            landed.line(own, received_at=f"2026-11-22T05:24:4{number}.500000Z"),
        )
        built_house.load()
        built_house.dbt("run", "--select", "stg_segment__track", "track")
    return built_house


def test_it_is_one_row_and_all_others_are_there(modelled: House) -> None:
    assert modelled.rows("select message_id from segment.track order by 1") == [
        ("m\\u0000x",), ("plain-0",), ("plain-1",), ("plain-2",),
    ]  # fmt: skip


def test_no_text_column_has_a_nul(modelled: House) -> None:
    for table in ("raw.track", "raw.field", "segment.track"):
        rows = modelled.rows(f"select t::varchar from {table} as t")
        assert not [row for (row,) in rows if "\0" in row]


@pytest.mark.parametrize("column", ["message_id", "user_id", "event", "properties__name"])
def test_users_can_join_and_look_for_it(modelled: House, column: str) -> None:
    joined = f"select count(*) from segment.track as a join segment.track as b using ({column})"
    chosen = f"select {column} from segment.track where message_id like 'm%'"
    within = f"select count(*) from segment.track where {column} in ({chosen})"

    assert modelled.rows(joined)[0][0] >= 1
    assert modelled.rows(within) == [(1,)]


def test_the_payload_keeps_what_was_sent(modelled: House) -> None:
    (payload,) = modelled.rows("select payload from raw.track where message_id like 'm%' limit 1")

    assert json.loads(payload[0]) == NUL_EVERYWHERE
