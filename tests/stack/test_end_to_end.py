"""From end to end: a real SDK's calls, a started stack, rows in the tables.

In one process that is tests/receiver/bad_inputs/test_loading.py.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stack.running_stack import Reader, RunningHouse

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[RunningHouse]:
    house = RunningHouse(tmp_path)
    yield house
    house.end()


def test_the_demo_arrives_exactly_once_while_somebody_reads_and_once_more_changes_nothing(
    house: RunningHouse,
) -> None:
    """1,000 events of five calls through the Segment client, and a reader."""
    reader = Reader(house)
    reader.start()

    status, printed = house.demo(seed=7)

    assert status == 0, printed
    assert (reader.stop(), reader.reads > 20) == ("", True)
    assert sum(house.counts("segment").values()) == 1000
    received = house.counts("raw")
    assert sum(received.values()) > 1000
    first = {name: house.rows(f'from segment."{name}" order by all') for name in received}

    status, printed = house.demo(seed=7)

    assert status == 0, printed
    assert {name: house.rows(f'from segment."{name}" order by all') for name in first} == first
    assert house.counts("raw") == {name: 2 * count for name, count in received.items()}
