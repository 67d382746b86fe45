"""A view that the warehouse would not make keeps no other from being made."""

import pytest

from orchestration.recovery.ownership import users_relations
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House

ROWS = "select name, definition from segment_warehouse.event_relation order by name"


def show(house: House, **columns: str) -> None:
    """Let relations have one column each, as if so placed."""
    with writer_lock(house.settings), connect(house.settings) as con:
        for relation in columns:
            con.execute("delete from columns.event_name where relation = ?", [relation])
            con.execute("delete from columns.shown_column where relation = ?", [relation])
        for place, (relation, column) in enumerate(columns.items()):
            con.execute("insert into columns.event_name values ($1, $1)", [relation])
            con.execute(
                "insert into columns.shown_column "
                "values ($1, $2, 'track', $3, 'b', 'varchar', 'varchar')",
                [place, relation, column],
            )


def run(house: House) -> str:
    return house.dbt("run", "--select", "event_relation")


def columns_of(house: House, relation: str) -> list[str]:
    return [name for name, *_ in house.rows(f"describe segment_warehouse.{relation}")]


@pytest.mark.long
def test_one_that_cannot_be_made_stays_as_it_was_and_is_named_and_tried_again(
    built_house: House,
) -> None:
    show(built_house, early="user_id", fine="user_id")
    run(built_house)
    [early, fine] = built_house.rows(ROWS)

    show(built_house, early="no_such", never="no_such", fine="message_id", later="user_id")
    said = " ".join(run(built_house).split())

    assert "these views could not be made" in said
    assert "tries again: early, never. The first says: Binder Error" in said
    rows = dict(built_house.rows(ROWS))
    assert list(rows) == ["early", "fine", "later"]
    assert (rows["early"], rows["fine"] != fine[1]) == (early[1], True)
    assert [columns_of(built_house, name)[0] for name in rows] == ["b"] * 3
    with connect(built_house.settings, read_only=True) as con:
        assert users_relations(con, built_house.settings) == []

    before = built_house.snapshots()
    assert "early, never" in run(built_house)  # tried again, and nothing is written for it
    assert built_house.snapshots() == before

    show(built_house, early="message_id", never="user_id")
    assert "could not be made" not in run(built_house)
    assert [name for name, _ in built_house.rows(ROWS)] == ["early", "fine", "later", "never"]
