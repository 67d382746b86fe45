"""An id of nothing but white space is nobody's: its visitors are not one user."""

import duckdb
import pytest

from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros


@pytest.mark.parametrize(
    "blank", ["", " ", "\t\n", "\u00a0", "\u200b", "\u3000 ", "\ufeff", "\x00"]
)
def test_a_blank_id_is_none(blank: str) -> None:
    sql = macros()["blank_as_null"]("$1::varchar")

    assert duckdb.execute(f"select {sql}", [blank]).fetchall() == [(None,)]


@pytest.mark.parametrize("given", ["0", " a ", "null", "-", "é", "\u200bx"])
def test_any_other_id_stays_as_it_is(given: str) -> None:
    sql = macros()["blank_as_null"]("$1::varchar")

    assert duckdb.execute(f"select {sql}", [given]).fetchall() == [(given,)]


def test_every_call_has_null_where_an_id_is_blank(built_house: House) -> None:
    ids = {"userId": " ", "anonymousId": "", "groupId": "\u200b", "previousId": "\t"}
    calls = ("identify", "group", "alias")
    for call in calls:
        event = {"type": call, "messageId": call, "context": {"groupId": ""}} | ids
        built_house.land(call, landed.line(event))
    built_house.load()
    models = [name for call in calls for name in (f"stg_segment__{call}", call)]
    built_house.dbt("run", "--select", *models)

    own = {"identify": ["user_id", "anonymous_id"], "group": ["group_id"], "alias": ["previous_id"]}
    for call, columns in own.items():
        selected = ", ".join([*columns, "context__group_id"])
        rows = built_house.rows(f'select {selected} from segment."{call}"')
        assert set(rows[0]) == {None}
