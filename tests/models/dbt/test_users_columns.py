"""A column that a user has added to a final table is in no file: it stays, or is named."""

import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House


@pytest.fixture(scope="module")
def scored(built_house: House) -> House:
    """A house with an event, a user's column, and one of a field that was left out since."""
    event = {"messageId": "a", "type": "track", "event": "x", "properties": {"size": 1}}
    built_house.land("track", landed.line(event))
    built_house.load()
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute("alter table segment.track add column my_score double default 0.5")
        con.execute("alter table segment.track add column left_out varchar")
        con.execute("comment on column segment.track.left_out is "
                    "'Found in the events at properties.x, as varchar.'")  # fmt: skip
    built_house.dbt("run", "--select", "stg_segment__track", "track")
    return built_house


@pytest.mark.long
def test_a_load_leaves_it(scored: House) -> None:
    rows = scored.rows("select message_id, properties__size, my_score from segment.track")
    assert rows == [("a", 1, 0.5)]


@pytest.mark.long
def test_a_full_refresh_refuses_to_lose_it_and_leaves_what_is_there(scored: House) -> None:
    status, printed = scored.try_dbt("run", "--full-refresh", "--select", "track", "page")

    assert status == 1
    assert "In segment.track these columns are yours" in printed
    assert ": my_score. Nothing was changed" in printed
    assert "OK created sql incremental model segment.page" in printed
    assert scored.rows("select message_id, my_score from segment.track") == [("a", 0.5)]
