"""A view for each event's name and each array: what a user has under such a name stays."""

from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

MODELS = ("stg_segment__track", "track", "child_table", "event_relation")


def test_a_name_that_was_sent_takes_neither_a_users_view_nor_a_users_table(
    built_house: House,
) -> None:
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute('create view segment_warehouse."My_Report" as select 1 as mine')
        con.execute("create table segment.track__properties__products as select 1 as mine")
    for number, name in enumerate(("My Report", "Other Event")):
        properties = {"products": [{"tags": [1]}], "things": [1]}
        event = {"type": "track", "messageId": str(number), "event": name, "properties": properties}
        built_house.land("track", landed.line(event))
    built_house.load()

    printed = built_house.dbt("run", "--select", *MODELS)

    assert built_house.rows("from segment_warehouse.my_report") == [(1,)]
    assert built_house.rows("from segment.track__properties__products") == [(1,)]
    assert len(built_house.rows("from segment_warehouse.other_event")) == 1
    assert len(built_house.rows("from segment.track__properties__things")) == 2
    assert "my_report" in printed
    assert built_house.rows("select name from segment_warehouse.event_relation") == [
        ("other_event",)
    ]

    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute("drop view segment_warehouse.my_report")
    built_house.dbt("run", "--select", "event_relation")

    assert built_house.rows("select event_text from segment_warehouse.my_report") == [
        ("My Report",)
    ]
