"""F23: people read all the while. No error, no half load, and no load waits for them."""

import pytest

from orchestration.warehouse.connection import connect
from tests.support import landed
from tests.support.faults.killed_loads import Child
from tests.support.faults.load_children import read_in_a_loop
from tests.support.faults.report import Report
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

LOADS = 2
EVENTS = 50


def land(house: House, name: str) -> None:
    events = [{"type": "track", "messageId": f"{name}-{n}"} for n in range(EVENTS)]
    for half in (events[::2], events[1::2]):
        house.land("track", *map(landed.line, events[:10]), *map(landed.line, half))


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.long)])
def test_readers_meet_no_error_and_see_whole_loads_only(
    house: House, report: Report, count: int
) -> None:
    land(house, f"{count}-first")
    house.load()
    house.models("track")
    ((before,),) = house.rows("select count(*) from segment.track")
    readers = [Child(read_in_a_loop, house.settings) for _ in range(count)]
    for number in range(LOADS):
        land(house, f"{count}-{number}")
        house.load()
    house.models("track")
    told = [reader.stops() for reader in readers]

    assert [wrong for _, wrong in told] == [[]] * count
    assert all(reads > 0 for reads, _ in told)
    assert house.rows("select count(*) from segment.track") == [(before + LOADS * EVENTS,)]
    report.add(
        "F23",
        f"{count} readers during {LOADS} loads and dbt",
        reads=sum(reads for reads, _ in told),
        errors=0,
        half_loads_seen=0,
    )


def test_a_load_does_not_wait_for_a_reader_who_keeps_what_he_saw(house: House) -> None:
    house.load()
    with connect(house.settings, read_only=True) as con:
        con.execute("begin")
        before = con.execute("select count(*) from raw.track").fetchall()
        land(house, "meanwhile")
        house.load()  # if it waited for this reader, it would for ever
        assert con.execute("select count(*) from raw.track").fetchall() == before
        con.execute("commit")
        assert con.execute("select count(*) from raw.track").fetchall() != before
