"""Killed at any moment of the packing, no loaded file is missing; the next hour finishes (F41)."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.loading.archive import archives, expired, read_archive
from orchestration.loading.load import load
from orchestration.settings import ROOT, Settings
from orchestration.upkeep.archives import pack_loaded_files
from tests.support import landed

PACK = """
import datetime, sys, time
from orchestration.settings import Settings
from orchestration.upkeep import turns
from orchestration.upkeep.archives import pack_loaded_files
turns.PAUSE_SECONDS = 0
print("ready", flush=True)
sys.stdin.readline()
pack_loaded_files(Settings(), datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC))
print("done", flush=True)
"""
HOURS = 24


def land(settings: Settings) -> dict[str, bytes]:
    files = {}
    for hour in range(HOURS):
        for number in range(4):
            name = f"20261122T{hour:02}0000000000Z-test-1-00000000-{number:06d}.ndjson"
            lines = [landed.line({"messageId": f"{hour} {number} {line}"}) for line in range(50)]
            files[name] = landed.land(settings.landing, "track", *lines, name=name).read_bytes()
    return files


def kept(settings: Settings) -> dict[str, bytes]:
    """What is in archives and in `loaded/`; the same file may be in both."""
    folder = settings.landing / "loaded" / "track"
    found = {path.name: path.read_bytes() for path in folder.glob("*.ndjson")}
    for archive in archives(settings.landing, "track"):
        found.update(read_archive(archive))
    return found


def pack_and_die(after: float) -> bool:
    """Let a process pack, and kill it so many seconds after it began; say whether it was done."""
    process = subprocess.Popen(
        [sys.executable, "-c", PACK],
        cwd=ROOT,
        env=os.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    return "done" in rest


@pytest.mark.parametrize(
    "kills", [2, pytest.param(50, marks=[pytest.mark.chaos, pytest.mark.timeout(3600)])]
)
def test_whenever_it_is_killed_every_file_is_there_and_the_next_time_packs_the_rest(
    settings: Settings, kills: int
) -> None:
    files = land(settings)
    load(settings)
    chance = random.Random(41)  # noqa: S311
    for _ in range(kills):
        pack_and_die(chance.uniform(0, 0.6))
        assert kept(settings) == files

    pack_loaded_files(settings, datetime(2026, 11, 24, tzinfo=UTC))

    packed = [archive.name for archive in archives(settings.landing, "track")]
    assert packed == [f"20261122T{hour:02}.tar.zst" for hour in range(HOURS)]
    assert kept(settings) == files
    assert not list((settings.landing / "loaded" / "track").glob("*.ndjson"))


def test_killed_while_old_archives_go_each_that_went_is_noted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = land(settings)
    load(settings)
    pack_loaded_files(settings, datetime(2026, 11, 24, tzinfo=UTC))
    monkeypatch.setenv("SEAMLINE_ARCHIVE_DAYS", "0.5")
    chance = random.Random(42)  # noqa: S311
    for _ in range(3):
        pack_and_die(chance.uniform(0, 0.3))
        noted = {name for entry in expired(settings.landing) for name in entry.files}
        assert files.keys() == kept(settings).keys() | noted
    Path(settings.landing / "archive" / "track" / ".20261122T00.tar.zst.new").touch()

    pack_loaded_files(Settings(), datetime(2026, 11, 24, tzinfo=UTC))

    assert not archives(settings.landing, "track")
    assert {name for entry in expired(settings.landing) for name in entry.files} == files.keys()
