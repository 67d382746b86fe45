"""A view for each event's name and each array: what a user has under such a name stays."""

import pytest

from orchestration.recovery.ownership import users_relations
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

MODELS = ("stg_segment__track", "track", "child_table", "event_relation")
RELATIONS = "select name from segment_warehouse.event_relation order by name"
NAMES = ("My Report", "Other Event", "Table's", "View's", "Gone")


def load(house: House, number: int, names: tuple[str, ...], **properties: object) -> str:
    """Load an event of each name and run the models; return what dbt printed."""
    for name in names:
        event = {"type": "track", "messageId": f"{number} {name}", "event": name}
        house.land("track", landed.line(event | {"properties": properties}))
    house.load()
    return house.dbt("run", "--select", *MODELS)


def make(house: House, *statements: str) -> None:
    with writer_lock(house.settings), connect(house.settings) as con:
        for statement in statements:
            con.execute(statement)


@pytest.fixture(scope="module")
def printed(built_house: House) -> str:
    """What dbt says where a user was there first."""
    make(
        built_house,
        'create view segment_warehouse."My_Report" as select 1 as mine',
        "create table segment.track__properties__products as select 1 as mine",
    )
    return load(built_house, 1, NAMES, products=[{"tags": [1]}], things=[1], others=[1])


@pytest.mark.long
def test_a_name_that_was_sent_takes_neither_a_users_view_nor_a_users_table(
    built_house: House, printed: str
) -> None:
    assert built_house.rows("from segment_warehouse.my_report") == [(1,)]
    assert built_house.rows("from segment.track__properties__products") == [(1,)]
    assert len(built_house.rows("from segment_warehouse.other_event")) == 1
    assert len(built_house.rows("from segment.track__properties__things")) == len(NAMES)
    assert "my_report" in printed
    assert built_house.rows(RELATIONS) == [("gone",), ("other_event",), ("table_s",), ("view_s",)]


@pytest.fixture(scope="module")
def printed_later(built_house: House, printed: str) -> str:
    """What it says where a user has put something in the place of our views, which change."""
    make(
        built_house,
        "drop view segment_warehouse.my_report",
        "drop view segment_warehouse.gone",
        "drop view segment_warehouse.table_s",
        "create table segment_warehouse.table_s as select 7 as mine",
        "create or replace view segment_warehouse.view_s as select 8 as mine",
        "drop view segment.track__properties__others",
        "create table segment.track__properties__others as select 9 as mine",
        "create or replace view segment.track__properties__things as select 10 as mine",
    )
    assert "my_report" in printed
    names = (*NAMES[1:], "New Event")
    return load(built_house, 2, names, things=[{"a": 1}], others=[{"a": 1}], products=[1], more=1)


@pytest.mark.long
def test_nor_does_it_take_what_a_user_has_put_in_the_place_of_our_view(
    built_house: House, printed_later: str
) -> None:
    assert built_house.rows("from segment_warehouse.table_s") == [(7,)]
    assert built_house.rows("from segment_warehouse.view_s") == [(8,)]
    assert built_house.rows("from segment.track__properties__others") == [(9,)]
    assert built_house.rows("from segment.track__properties__things") == [(10,)]
    for name in ("table_s", "view_s", "track__properties__others", "track__properties__things"):
        assert name in printed_later.partition("names are taken")[2]


@pytest.mark.long
def test_and_all_other_views_are_made_and_follow_their_events(
    built_house: House, printed_later: str
) -> None:
    assert "names are taken" in printed_later
    names = ["gone", "my_report", "new_event", "other_event"]
    assert built_house.rows(RELATIONS) == [(name,) for name in names]
    assert built_house.rows("select more from segment_warehouse.other_event order by 1") == [
        (1,),
        (None,),
    ]
    assert built_house.rows("select event_text from segment_warehouse.my_report") == [
        ("My Report",)
    ]
    assert len(built_house.rows("from segment_warehouse.gone")) == 2
    assert len(built_house.rows("from segment_warehouse.new_event")) == 1


@pytest.mark.long
@pytest.mark.usefixtures("printed_later")
def test_what_took_the_place_of_our_views_is_known_as_a_users(built_house: House) -> None:
    make(
        built_house,
        "create or replace view segment_warehouse.other_event as select 1 as mine",
        "drop view segment_warehouse.gone",
        "create table segment_warehouse.gone as select 1 as mine",
    )

    with connect(built_house.settings, read_only=True) as con:
        assert users_relations(con, built_house.settings) == [
            "segment.track__properties__others",
            "segment.track__properties__products",
            "segment.track__properties__things",
            "segment_warehouse.gone",
            "segment_warehouse.other_event",
            "segment_warehouse.table_s",
            "segment_warehouse.view_s",
        ]


def test_a_table_under_the_name_of_a_view_of_ours_stays_and_is_named(built_house: House) -> None:
    make(
        built_house,
        "drop view segment_warehouse.aliases",
        "create table segment_warehouse.aliases as select 1 as mine",
    )

    status, printed = built_house.try_dbt("run", "--select", "aliases", "groups")

    assert status == 1
    assert "segment_warehouse.aliases is a table, where a view is to be" in printed
    assert "OK created sql lasting_view model segment_warehouse.groups" in printed
    assert built_house.rows("from segment_warehouse.aliases") == [(1,)]


def test_a_view_that_changes_is_replaced_at_once(built_house: House) -> None:
    make(built_house, "create or replace view segment_warehouse.groups as select 1 as old")
    before = built_house.snapshots()

    built_house.dbt("run", "--select", "groups")

    assert built_house.snapshots() == before + 1  # a kill finds the old one or the new one
    assert built_house.rows("select count(group_id) from segment_warehouse.groups")
