"""The power goes during an erasure: others keep their rows, and the next one completes it."""

import random
from pathlib import Path

import pytest

from orchestration import durable_files
from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from tests.erasure.faults.test_kills import OPTIONS, is_as_if_it_had_not_died
from tests.support import landed
from tests.support.faults.killed_loads import forms
from tests.support.faults.power_cut import JournalledHouse
from tests.support.faults.report import Report
from tests.support.house import House
from tests.support.person import WHO, track


def test_what_stays_is_synced_while_what_goes_is_still_there(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = empty
    landed.land(house.landing, "track", *(landed.line(track(who)) for who in ("gone", "stays")))
    load(house.settings)
    before = set(house.settings.data.rglob("*.parquet"))
    old = set((house.settings.data / "raw" / "track").glob("*.parquet"))
    synced: set[Path] = set()
    really = {"sync_file": durable_files.sync_file, "sync_folder": durable_files.sync_folder}

    def sync(how: str, path: Path) -> None:
        if path.is_relative_to(house.settings.data):
            assert all(one.exists() for one in old)
        really[how](path)
        synced.add(path)

    monkeypatch.setattr(durable_files, "sync_file", lambda path: sync("sync_file", path))
    monkeypatch.setattr(durable_files, "sync_folder", lambda path: sync("sync_folder", path))

    forget(house.settings, {Id(USER, "gone")}, suppress=False)

    assert not any(path.exists() for path in old)
    files = set(house.settings.data.rglob("*.parquet")) - before
    assert any(path.parent.name == "track" for path in files)
    assert files <= synced
    assert {path.parent for path in files} | {house.settings.data} <= synced


@pytest.mark.long
@forms(short=1, long=20, minutes=60, what="count")
def test_whenever_the_power_goes_the_next_erasure_completes_it(
    house: House,
    shim_library: Path,
    report: Report,
    chance: random.Random,
    count: int,
) -> None:
    journalled = JournalledHouse(house, shim_library)
    journalled.run("-m", "orchestration", "forget", *OPTIONS)

    assert journalled.unsynced() == []
    done = 0
    for left in journalled.cuts(count, chance):
        forget(left.settings, WHO)
        load(left.settings)
        left.models()
        is_as_if_it_had_not_died(left)
        done += 1
    report.add("F04", "power cuts during an erasure", cuts=done, completed_by_the_next=done)
