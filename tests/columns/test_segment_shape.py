"""The names under which Segment Warehouses shows things."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landed.settings import WrongSettingsError
from orchestration.columns.documented import CALLS
from orchestration.columns.placement import Fact
from orchestration.columns.placing import place
from orchestration.columns.rules import ColumnRules
from orchestration.columns.segment_shape import (
    RELATIONS,
    SeenProperty,
    event_names,
    shown_columns,
)
from orchestration.loading.observed_fields import LONG
from orchestration.settings import Settings
from tests.columns.placing import NO_RULES


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


def test_what_comes_later_takes_no_relation_away() -> None:
    """`_2 x` was there first; sorted by name `2 x` goes before it."""
    assert dict(event_names(["_2 x"])) == {"_2 x": "_2_x"}
    assert dict(event_names(["_2 x", "2 x", "_2-X"])) == {
        "_2 x": "_2_x",
        "2 x": "_2_x_",
        "_2-X": "_2_x",
    }


@given(st.lists(st.sampled_from(["2 x", "_2 x", "Users", "users_", "_2X", "2-x", "_2 X"])))
def test_every_event_keeps_its_relation_whatever_comes_behind_it(events: list[str]) -> None:
    names = dict(event_names(events))

    assert all(
        names[event] == relation
        for number in range(len(events))
        for event, relation in event_names(events[:number])
    )


TYPES = ["string", "bigint", LONG, "double", "boolean", "array"]


@given(
    st.sampled_from(["string", "bigint", "double", "boolean", "timestamp", "json", "hash", None]),
    st.lists(st.sampled_from(TYPES), min_size=1, unique=True),
    st.sets(st.sampled_from(TYPES)),
    st.sampled_from(["properties", "traits"]),
)
def test_all_columns_of_one_name_have_one_type_and_a_declared_column_keeps_its_own(
    said: str | None, of_table: list[str], of_event: set[str], prefix: str
) -> None:
    """Another event, or another source, has sent the field in any other type."""
    path = f"{prefix}.b"
    says = {"json": {"json": True}, "hash": {"hash": True}}.get(said or "", {"type": said})
    rules = ColumnRules.model_validate({"fields": [{"path": path} | says] if said else []})
    call = "track" if prefix == "properties" else "identify"
    facts = [Fact((prefix, "b"), kind, (1, "f", n)) for n, kind in enumerate(of_table)]
    placements = {one: place(one, facts if one == call else (), rules).placements for one in CALLS}
    seen = {path: SeenProperty((1, "f", 1), of_event & {*of_table})}

    found = list(shown_columns(placements, {"e": seen}, seen_elsewhere={}))

    shown = [one for one in found if one.column_name.startswith(f"{prefix}__b")]
    types: dict[tuple[str, str], set[str]] = {}
    for one in shown:
        types.setdefault((one.relation, one.name), set()).add(one.type)
    assert all(len(of_name) == 1 for of_name in types.values())
    relations = {"e"} if call == "track" else {"identifies", "users"}
    for relation in relations if said else ():
        own = [one for one in shown if one.relation == relation]
        assert len({one.name for one in own}) == len(own)
        assert all(one.type == one.column_type for one in own)
        assert {one.name for one in own if one.column_name == f"{prefix}__b"} <= {"b"}
        assert "b" not in {one.name for one in own if one.column_name != f"{prefix}__b"}


def test_no_two_columns_of_a_relation_have_one_name() -> None:
    paths = [
        ("traits", "utm", "campaign", "id"),
        ("traits", "utm_campaign", "id"),
        ("traits", "utm_campaign_id"),
        ("traits", "user_id"),
        ("traits", "2fa"),
    ]
    facts = [Fact(keys, "string", (1, "f", number)) for number, keys in enumerate(paths)]
    placements = {
        call: place(call, facts if call == "identify" else (), NO_RULES).placements
        for call in CALLS
    }

    shown = [one for one in shown_columns(placements, {}) if one.relation == "identifies"]

    names = [one.name for one in shown]
    assert len(names) == len(set(names))
    assert {one.column_name: one.name for one in shown if "traits__" in one.column_name} == {
        "traits__utm__campaign__id": "utm_campaign_id",
        "traits__utm_campaign__id": "utm_campaign_id_f77b3aca",
        "traits__utm_campaign_id": "utm_campaign_id_dfa75ee6",
        "traits__user_id": "_user_id",
        "traits__2fa": "_2fa",
    }


FACTS = {
    "track": [("context", "ip"), ("context", "app", "name"), ("properties", "price")],
    "identify": [("traits", "plan"), ("context", "app", "name"), ("context", "beta")],
}


def shown(relation: str, context: Literal["all", "seen", "none"]) -> list[str]:
    """The names of a relation's columns, where events were seen with some fields."""
    placements = {
        call: place(
            call,
            [Fact(keys, "string", (1, "f", n)) for n, keys in enumerate(FACTS.get(call, []))],
            ColumnRules(context_columns=context),
        ).placements
        for call in RELATIONS
    }
    seen_in = {"bought": {"properties.price": SeenProperty((1, "f", 2), {"string"})}}
    found = shown_columns(placements, seen_in, context)
    return [one.name for one in found if one.relation == relation]


@pytest.mark.parametrize(
    ("relation", "own", "bag"),
    [
        ("bought", {"id", "user_id", "received_at", "event_text"}, {"price"}),
        ("tracks", {"id", "user_id", "received_at", "event_text"}, set()),
        ("identifies", {"id", "user_id", "timestamp"}, {"plan"}),
        ("pages", {"id", "user_id", "name", "category"}, {"url", "path", "title"}),
        ("users", set(), {"plan"}),
    ],
)
def test_a_relation_begins_with_its_own_columns_and_ends_with_its_context(
    relation: str, own: set[str], bag: set[str]
) -> None:
    names = shown(relation, "all")

    of_context = [one for one in names if one.startswith("context_")]
    assert names[-len(of_context) :] == of_context
    first = names[: -len(of_context)]
    assert own | bag <= set(first)
    own_last, bag_first = (
        max(map(first.index, own), default=-1),
        min(map(first.index, bag), default=99),
    )
    assert own_last < bag_first
    assert "context_library_name" in of_context


@pytest.mark.parametrize("relation", ["bought", "tracks", "identifies", "pages", "users"])
def test_context_may_be_left_out_of_relations_or_be_there_once_it_is_seen(relation: str) -> None:
    full = shown(relation, "all")
    seen = {
        "bought": ["context_ip", "context_app_name"],
        "tracks": ["context_ip", "context_app_name"],
        "identifies": ["context_app_name", "context_beta"],
        "users": ["context_app_name", "context_beta"],
    }
    without = [name for name in full if not name.startswith("context_")]

    assert shown(relation, "none") == without
    assert sorted(shown(relation, "seen")) == sorted(without + seen.get(relation, []))


def shown_of(*facts: Fact, seen: dict[str, SeenProperty]) -> dict[str, str]:
    """Column → name in the relation of an event that was seen with some properties."""
    placements = {
        call: place(call, facts if call == "track" else (), NO_RULES).placements for call in CALLS
    }
    shown = [one for one in shown_columns(placements, {"e": seen}) if one.relation == "e"]
    return {one.column_name: one.name for one in shown if "order" in one.column_name}


def test_a_property_has_its_plain_name_where_its_event_sent_no_other_of_that_name() -> None:
    """Other events have sent `orderId` before, whose column in the table it is."""
    one = Fact(("properties", "orderId"), "string", (1, "f", 1))
    other = Fact(("properties", "order_id"), "string", (1, "f", 2))
    column = "properties__order_id_d06a03e4"
    own = SeenProperty((1, "f", 2), {"string"})

    assert shown_of(one, other, seen={"properties.order_id": own}) == {column: "order_id"}
    # what this event sent first keeps its name when the other comes
    later = SeenProperty((2, "f", 1), {"string"})
    both = {"properties.order_id": own, "properties.orderId": later}
    assert shown_of(one, other, seen=both) == {
        column: "order_id",
        "properties__order_id": "order_id_71aa1bfb",
    }


@pytest.mark.parametrize("name", ["Raw", "columns", "Segment Warehouse", "my_staging", "main"])
def test_a_name_that_gives_a_schema_of_our_own_is_refused(name: str) -> None:
    with pytest.raises(WrongSettingsError, match="Seamline's own"):
        Settings(integration_name=name)
