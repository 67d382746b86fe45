"""What is made again from the files after an erasure is what there was."""

import json

import pytest

from orchestration.columns.update import take_over_changes
from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.recovery.reload import reload_rejected
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Limits
from tests.support import landed
from tests.support.house import House
from tests.support.person import WHO, event, found_in, found_in_house, track
from tests.support.warehouse import FIELDS

RECORD = "select kind, hash, lines, files, ordered_by, source from raw.erasure order by all"
COUNTS = "select call, source, hour, sum(lines) from raw.landed_count group by all order by all"
LEDGER = "from raw.landed_file order by all"
PLACES = "from columns.placement order by all"
CHANGES = "from columns.column_change order by all"
COLUMNS_OF_TRACK = """
    select column_name from information_schema.columns
    where table_schema = 'segment' and table_name = 'track'
"""


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_rebuilt_warehouse_is_row_for_row_the_same(house: House) -> None:
    forget(house.settings, WHO)
    before = house.hashes()
    change = {"table_name": "identify", "column_name": "traits__email", "old_type": "bigint"}
    with writer_lock(house.settings), connect(house.settings) as con:
        take_over_changes(con, [change])
    queries = (RECORD, COUNTS, LEDGER, FIELDS, PLACES, CHANGES)
    asked = [house.rows(query) for query in queries]
    assert all(asked)

    house.run("rebuild")

    assert house.hashes() == before
    assert [house.rows(query) for query in queries] == asked
    assert house.problems() == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_was_rejected_and_became_an_event_later_is_erased_too(empty: House) -> None:
    events = [track("late-31f0", n=1), track("bob", n=2), track("late-31f0", n=3)]
    bodies = [json.dumps(one).encode() for one in events]
    lines = [landed.rejected_line(body, reason="too_big", call="track") for body in bodies]
    path = landed.land(empty.landing, "rejected", *lines)
    load(empty.settings)
    moved = reload_rejected(empty.settings, Limits(event_bytes=2**20, depth=128)).moved
    empty.models("track")
    assert moved == 3

    forget(empty.settings, {Id(USER, "late-31f0")})

    assert found_in_house(empty, "late-31f0") == []
    assert empty.problems() == []
    ledger = f"select rows, rejected from raw.landed_file where file = '{path.name}' order by all"
    assert empty.rows(ledger) == [(0, 1), (1, -1)]


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_column_that_is_called_by_the_id_goes_with_its_name(house: House) -> None:
    kim = "kim_77x"
    for value in (1, "a"):
        one = event("identify", userId=kim, traits={kim: value, "plain": "b"})
        landed.land(house.landing, "identify", landed.line(one))
        if value == 1:
            house.run("load")
    landed.land(
        house.landing,
        "track",
        landed.line(event("track", userId=kim, event=f"Clicked by {kim}", properties={"x": 1})),
    )
    house.run("load")
    assert found_in(house.folder / "warehouse", kim)
    assert (kim,) in house.rows("select column_name from columns.column_change")
    query = "select message_id, traits__email from segment.identify where user_id <> 'kim_77x'"
    others = house.rows(query)

    house.run("forget", f"--user-id={kim}")

    assert found_in_house(house, kim) == []
    assert sorted(house.rows(query)) == sorted(others)
    assert len(others) == 2
    assert house.problems() == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_name_that_an_earlier_erasure_kept_does_not_come_back(empty: House) -> None:
    for user, properties in (("ann", {"score of bob17": 1, "plain": 2}), ("bob17", {})):
        landed.land(empty.landing, "track", landed.line(track(user, **properties)))
    empty.run("load")
    assert "score_of_bob17" in str(empty.rows(COLUMNS_OF_TRACK))
    for user in ("ann", "bob17"):
        empty.run("forget", f"--user-id={user}")

    empty.run("rebuild")

    assert "bob17" not in str(empty.rows(COLUMNS_OF_TRACK))
    assert found_in_house(empty, "bob17") == []
    assert "properties.plain" in str(empty.rows("select path from raw.erased_field"))
