"""F23: people read all the while. No error, no half load, and no load waits for them."""

import pytest

from orchestration.loading.load import load
from orchestration.loading.warehouse import connect
from tests.support import landed
from tests.support.fault_report import Report
from tests.support.forked import run_models
from tests.support.killed_loads import Child, environment
from tests.support.lake import Lake
from tests.support.load_children import read_in_a_loop

pytestmark = pytest.mark.timeout(600)

LOADS = 2
EVENTS = 50
MODELS = ("stg_segment__track", "track")


def land(lake: Lake, name: str) -> None:
    events = [{"type": "track", "messageId": f"{name}-{n}"} for n in range(EVENTS)]
    for half in (events[::2], events[1::2]):
        lake.land("track", *map(landed.line, events[:10]), *map(landed.line, half))


def run_dbt(lake: Lake) -> None:
    run_models(MODELS, environment(lake.settings, lake.scratch))


@pytest.mark.parametrize("count", [3, pytest.param(8, marks=pytest.mark.long)])
def test_readers_meet_no_error_and_see_whole_loads_only(
    lake: Lake, report: Report, count: int
) -> None:
    land(lake, f"{count}-first")
    lake.load()
    run_dbt(lake)
    ((before,),) = lake.rows("select count(*) from segment.track")
    readers = [Child(read_in_a_loop, lake.settings) for _ in range(count)]
    for number in range(LOADS):
        land(lake, f"{count}-{number}")
        lake.load()
    run_dbt(lake)
    told = [reader.stops() for reader in readers]

    assert [wrong for _, wrong in told] == [[]] * count
    assert all(reads > 0 for reads, _ in told)
    assert lake.rows("select count(*) from segment.track") == [(before + LOADS * EVENTS,)]
    report.add(
        "F23",
        f"{count} readers during {LOADS} loads and dbt",
        reads=sum(reads for reads, _ in told),
        errors=0,
        half_loads_seen=0,
    )


def test_a_load_does_not_wait_for_a_reader_who_keeps_what_he_saw(lake: Lake) -> None:
    lake.load()
    with connect(lake.settings, read_only=True) as con:
        con.execute("begin")
        before = con.execute("select count(*) from raw.track").fetchall()
        land(lake, "meanwhile")
        load(lake.settings)  # if it waited for this reader, it would for ever
        assert con.execute("select count(*) from raw.track").fetchall() == before
        con.execute("commit")
        assert con.execute("select count(*) from raw.track").fetchall() != before
