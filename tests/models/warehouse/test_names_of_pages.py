"""In `pages` and `screens` a name is where Segment Warehouses has it, wherever it was sent."""

from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House


def view(message_id: str, properties: dict[str, Any], **top: Any) -> bytes:
    return landed.line({"messageId": message_id, "properties": properties, **top})


@pytest.mark.long
@pytest.mark.parametrize(("call", "relation"), [("page", "pages"), ("screen", "screens")])
def test_a_property_is_the_name_where_the_top_level_has_none(
    built_house: House, call: str, relation: str
) -> None:
    built_house.land(
        call,
        view("property", {"name": "Pricing", "category": "Docs"}),
        view("both", {"name": "Other", "category": "Other"}, name="Home", category="Start"),
        view("neither", {}),
        view("number", {"name": 5, "category": True}),
        view("array", {"name": ["x"], "category": {"a": 1}}),
    )
    built_house.load()
    built_house.dbt("run", "--select", f"stg_segment__{call}", call, relation)

    shown = f"select id, name, category from segment_warehouse.{relation} order by id"
    assert built_house.rows(shown) == [
        ("array", None, None),
        ("both", "Home", "Start"),
        ("neither", None, None),
        ("number", "5", "true"),
        ("property", "Pricing", "Docs"),
    ]
    of_both = f"select _name, _category from segment_warehouse.{relation} where id = 'both'"
    assert built_house.rows(of_both) == [("Other", "Other")]
