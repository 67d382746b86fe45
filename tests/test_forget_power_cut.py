"""Rows of others that an erasure has copied are on the disk before the files go they were in."""

from pathlib import Path

import landed
import pytest
from forget_fixtures import house_in, track

from orchestration.forget import sweep
from orchestration.forget.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id

pytest_plugins = ("forget_fixtures",)


def test_what_stays_is_synced_while_what_goes_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_in(tmp_path, seal_seconds=0.3)
    landed.land(house.landing, "track", *(landed.line(track(who)) for who in ("gone", "stays")))
    load(house.settings)
    old = set((house.settings.data / "raw" / "track").glob("*.parquet"))
    synced: set[Path] = set()
    really = {"sync_file": sweep.sync_file, "sync_folder": sweep.sync_folder}

    def sync(how: str, path: Path) -> None:
        assert all(one.exists() for one in old)
        really[how](path)
        synced.add(path)

    monkeypatch.setattr(sweep, "sync_file", lambda path: sync("sync_file", path))
    monkeypatch.setattr(sweep, "sync_folder", lambda path: sync("sync_folder", path))

    forget(house.settings, {Id(USER, "gone")}, suppress=False)

    assert not any(path.exists() for path in old)
    files = set(house.settings.data.rglob("*.parquet"))
    assert files
    assert files <= synced
    assert {path.parent for path in files} | {house.settings.data / "raw"} <= synced
    assert house.settings.catalog in synced
