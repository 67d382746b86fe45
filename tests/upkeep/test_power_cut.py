"""The power goes while upkeep writes files together and removes old ones: no row goes with it."""

import random
from datetime import timedelta
from pathlib import Path

from orchestration.settings import Settings
from orchestration.upkeep.keep_small import keep_small
from tests.support.faults.killed_loads import forms
from tests.support.faults.power_cut import JournalledHouse
from tests.support.faults.report import Report
from tests.support.house import House
from tests.support.small_files import all_hashes, listed_and_missing, soon
from tests.upkeep.test_kills import UPKEEP


@forms(short=1, long=30, minutes=30, what="count", in_test_long=True)
def test_whenever_the_power_goes_every_row_is_there_and_the_next_upkeep_goes_on(
    own_house: House,
    small_lake: Settings,
    shim_library: Path,
    tmp_path: Path,
    report: Report,
    chance: random.Random,
    count: int,
) -> None:
    before = all_hashes(small_lake)
    house = JournalledHouse(own_house.copy(tmp_path / "house"), shim_library)
    house.run("-c", UPKEEP)

    assert house.unsynced() == []
    done = 0
    for left in house.cuts(count, chance):
        assert listed_and_missing(left.settings) == []
        assert all_hashes(left.settings) == before
        keep_small(soon(left.settings), timedelta(days=10_000))
        assert all_hashes(left.settings) == before
        done += 1
    report.add("F04", "power cuts during upkeep", cuts=done, rows_changed=0)
