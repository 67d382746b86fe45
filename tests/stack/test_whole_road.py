"""The whole road: a real SDK's calls, a started stack, rows in the tables."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running_stack import House, Reader

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.end()


def test_the_demo_arrives_exactly_once_while_somebody_reads(
    house: House, prepared_house: Path
) -> None:
    """1,000 events of five calls through the Segment client, and a reader."""
    house.move_in(prepared_house)
    reader = Reader(house)
    reader.start()

    status, printed = house.demo(seed=7)

    assert status == 0, printed
    assert sum(house.counts("segment").values()) == 1000
    assert sum(house.counts("raw").values()) > 1000
    assert (reader.stop(), reader.reads > 20) == ("", True)


@pytest.mark.long
def test_the_same_demo_again_changes_nothing(house: House) -> None:
    status, printed = house.demo(seed=7)
    assert status == 0, printed
    first = {
        name: house.query(f'from segment."{name}" order by all') for name in house.counts("raw")
    }
    received = house.counts("raw")
    status, printed = house.demo(seed=7)
    assert status == 0, printed

    assert {name: house.query(f'from segment."{name}" order by all') for name in first} == first
    assert house.counts("raw") == {name: 2 * count for name, count in received.items()}
