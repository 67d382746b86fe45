"""The power goes while upkeep writes files together and removes old ones: no row goes with it."""

import random
from datetime import timedelta
from pathlib import Path

from orchestration.settings import Settings
from orchestration.upkeep.warehouse import keep_small
from tests.support.fault_report import Report
from tests.support.killed_loads import forms
from tests.support.made_house import house_settings, move_in
from tests.support.power_cut import JournalledHouse
from tests.support.small_lake import all_hashes, listed_and_missing, soon
from tests.upkeep.test_kills import UPKEEP


@forms(short=1, long=30, minutes=30, what="count")
def test_whenever_the_power_goes_every_row_is_there_and_the_next_upkeep_goes_on(
    small_lake: Settings,
    shim_library: Path,
    tmp_path: Path,
    report: Report,
    chance: random.Random,
    count: int,
) -> None:
    before = all_hashes(small_lake)
    for part in ("landing", "warehouse"):
        move_in(tmp_path / part, tmp_path / "house" / part)
    house = JournalledHouse(tmp_path, shim_library)
    house.run(house_settings(tmp_path / "house"), "-c", UPKEEP)

    assert house.unsynced() == []
    done = 0
    for folder in house.cuts(count, chance):
        settings = Settings(
            landing=folder / "landing", warehouse=house_settings(folder)["SEAMLINE_WAREHOUSE"]
        )

        assert listed_and_missing(settings) == []
        assert all_hashes(settings) == before
        keep_small(soon(settings), timedelta(days=10_000))
        assert all_hashes(settings) == before
        done += 1
    report.add("F04", "power cuts during upkeep", cuts=done, rows_changed=0)
