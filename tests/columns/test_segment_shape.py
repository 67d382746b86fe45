"""The names under which Segment Warehouses shows things."""

import pytest

from landed.settings import WrongSettingsError
from orchestration.columns.placement import Fact, place
from orchestration.columns.rules import ColumnRules
from orchestration.columns.segment_shape import event_names, shown_columns
from orchestration.settings import Settings


def test_every_name_in_snake_case_has_a_relation_of_its_own() -> None:
    events = ["2FA", "_2fa", "Order Completed", "order_completed", "Users", "Event Relation", "5"]

    assert dict(event_names(events)) == {
        "2FA": "_2fa",
        "_2fa": "_2fa_",
        "Order Completed": "order_completed",
        "order_completed": "order_completed",
        "Users": "users_",
        "Event Relation": "event_relation_",
        "5": "_5",
    }


def test_no_two_columns_of_a_relation_have_one_name() -> None:
    paths = [
        ("traits", "utm", "campaign", "id"),
        ("traits", "utm_campaign", "id"),
        ("traits", "utm_campaign_id"),
        ("traits", "user_id"),
        ("traits", "2fa"),
    ]
    facts = [Fact(keys, "string", (1, "f", number)) for number, keys in enumerate(paths)]
    placements = {call: place(call, (), ColumnRules()) for call in ("alias", "group", "page")}
    placements |= {call: place(call, (), ColumnRules()) for call in ("screen", "track")}
    placements["identify"] = place("identify", facts, ColumnRules())

    shown = [one for one in shown_columns(placements, {}) if one.relation == "identifies"]

    names = [one.name for one in shown]
    assert len(names) == len(set(names))
    assert {one.column_name: one.name for one in shown if "traits__" in one.column_name} == {
        "traits__utm__campaign__id": "utm_campaign_id",
        "traits__utm_campaign__id": "_utm_campaign_id",
        "traits__utm_campaign_id": "__utm_campaign_id",
        "traits__user_id": "_user_id",
        "traits__2fa": "_2fa",
    }


@pytest.mark.parametrize("name", ["Raw", "columns", "Segment Warehouse", "my_staging", "main"])
def test_a_name_that_gives_a_schema_of_our_own_is_refused(name: str) -> None:
    with pytest.raises(WrongSettingsError, match="Seamline's own"):
        Settings(integration_name=name)
