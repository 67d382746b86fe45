"""Whatever an event is called, `tracks.event` names the relation with its rows."""

from tests.support import landed
from tests.support.house import House

NAMES = ["Order Completed", "1st Order", "Users", "tracks", "5", 5, 5.5, -1, True, "true", "!", ""]


def test_the_event_of_a_track_is_the_name_of_its_relation(built_house: House) -> None:
    built_house.land(
        "track",
        *(landed.line({"messageId": f"m{n}", "event": name}) for n, name in enumerate(NAMES)),
        landed.line({"messageId": "none", "event": None}),
        landed.line({"messageId": "array", "event": ["x"]}),
    )
    built_house.load()
    built_house.dbt("run", "--select", "stg_segment__track", "track", "tracks", "event_relation")

    of = dict(built_house.rows("select id, event from segment_warehouse.tracks"))
    assert (of.pop("none"), of.pop("array")) == (None, None)
    for message_id, relation in of.items():
        found = f"select event from segment_warehouse.\"{relation}\" where id = '{message_id}'"
        assert built_house.rows(found) == [(relation,)]
    assert [of[f"m{n}"] for n in range(4)] == ["order_completed", "_1st_order", "users_", "tracks_"]
