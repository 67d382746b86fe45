"""The whole road: a real SDK's calls, a started stack, rows in the tables."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from road_fixtures import TABLES, House, Reader

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.end()


def test_the_demo_arrives_exactly_once_and_again_changes_nothing_while_somebody_reads(
    house: House,
) -> None:
    """1,000 events of five calls through the Segment client, the same again, and a reader."""
    reader = Reader(house)
    reader.start()

    status, printed = house.demo(seed=7)
    assert status == 0, printed
    first = {
        name: house.query(f'from segment."{name}" order by all') for name in house.counts("raw")
    }
    received = house.counts("raw")
    status, printed = house.demo(seed=7)
    assert status == 0, printed

    assert sum(house.counts("segment").values()) == 1000
    assert {name: house.query(f'from segment."{name}" order by all') for name in first} == first
    assert house.counts("raw") == {name: 2 * count for name, count in received.items()}
    assert sum(received.values()) > 1000
    assert (reader.stop(), reader.reads > 50) == ("", True)


def _final_tables(house: House) -> dict[str, list[tuple[object, ...]]]:
    return {name: house.query(f'from segment."{name}" order by message_id') for name in TABLES}


def test_ctrl_c_leaves_no_process_and_no_unsealed_file(house: House, prepared_house: Path) -> None:
    house.move_in(prepared_house)
    house.run()
    house.track("m1", "m2")
    family = house.processes()

    status = house.stop()

    assert status == 0
    assert [process for process in family if psutil.pid_exists(process.pid)] == []
    assert list(house.settings.landing.rglob("*.open")) == []
