"""Killed at any moment of the packing, no loaded file is missing; the next hour finishes (F41)."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.loading.archive import Expired, archives, read_archive
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from tests.support import landed
from tests.support.faults.steps import kill_at

SETUP = """
import datetime
from orchestration.settings import Settings
from orchestration.upkeep import short_locks
from orchestration.upkeep.archives import pack_loaded_files
short_locks.PAUSE_SECONDS = 0
"""
PACK = "pack_loaded_files(Settings(), datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC))"
HOURS = 6
PACK_STEPS, EXPIRE_STEPS = 90, 25
"""Each takes some more, for so many hours."""


def land(settings: Settings) -> dict[str, bytes]:
    files = {}
    for hour in range(HOURS):
        for number in range(4):
            name = f"20261122T{hour:02}0000000000Z-test-1-00000000-{number:06d}.ndjson"
            lines = [landed.line({"messageId": f"{hour} {number} {line}"}) for line in range(10)]
            files[name] = landed.land(settings.landing, "track", *lines, name=name).read_bytes()
    return files


def kept(settings: Settings) -> dict[str, bytes]:
    """What is in archives and in `loaded/`; the same file may be in both."""
    folder = settings.landing / "loaded" / "track"
    found = {path.name: path.read_bytes() for path in folder.glob("*.ndjson")}
    for archive in archives(settings.landing, "track"):
        found.update(read_archive(archive))
    return found


def noted(settings: Settings, names: Iterable[str]) -> set[str]:
    """Those of some files that are noted as expired."""
    found = Expired(settings.landing).among(f"track/{name}" for name in names)
    return {one.removeprefix("track/") for one in found}


@pytest.mark.parametrize(
    "step", [None, *(pytest.param(step, marks=pytest.mark.chaos) for step in range(PACK_STEPS))]
)
def test_whenever_it_is_killed_every_file_is_there_and_the_next_time_packs_the_rest(
    settings: Settings, step: int | None, chance: random.Random
) -> None:
    files = land(settings)
    load(settings)
    kill_at(chance.randrange(PACK_STEPS) if step is None else step, SETUP, PACK)
    assert kept(settings) == files

    pack_loaded_files(settings, datetime(2026, 11, 24, tzinfo=UTC))

    packed = [archive.name for archive in archives(settings.landing, "track")]
    assert packed == [f"20261122T{hour:02}.tar.zst" for hour in range(HOURS)]
    assert kept(settings) == files
    assert not list((settings.landing / "loaded" / "track").glob("*.ndjson"))


@pytest.mark.long
def test_killed_while_old_archives_go_each_that_went_is_noted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, chance: random.Random
) -> None:
    files = land(settings)
    load(settings)
    pack_loaded_files(settings, datetime(2026, 11, 24, tzinfo=UTC))
    monkeypatch.setenv("SEAMLINE_ARCHIVE_DAYS", "0.5")
    kill_at(chance.randrange(EXPIRE_STEPS), SETUP, PACK)
    assert files.keys() == kept(settings).keys() | noted(settings, files)
    Path(settings.landing / "archive" / "track" / ".20261122T00.tar.zst.new").touch()

    pack_loaded_files(Settings(), datetime(2026, 11, 24, tzinfo=UTC))

    assert not archives(settings.landing, "track")
    assert noted(settings, files) == files.keys()
