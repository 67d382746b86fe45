"""The landing folder's disk is full: an import stops in a line, and goes on once there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.settings import Settings
from receiver.importing import one_file
from tests.support.importing import event, parsed, run_import, write

EVENTS = [event(f"full-{n}", text=os.urandom(500).hex()) for n in range(12_000)]
IDS = sorted(f"full-{n}" for n in range(12_000))


@pytest.fixture
def small_disk(settings: Settings) -> Iterator[Path]:
    """The landing folder as a file system of 12 MB of its own."""
    if os.geteuid() != 0:
        pytest.skip("ONLY ROOT MAY MOUNT: an import onto a really full disk was not tried")
    folder = settings.landing
    folder.mkdir(mode=0o700)
    subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "none", folder], check=True
    )
    yield folder
    subprocess.run(["/bin/umount", "-l", folder], check=True)


@pytest.mark.parametrize("reserve", [0, 4_000_000])
def test_a_full_disk_stops_an_import_which_goes_on_once_there_is_room(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve: int
) -> None:
    monkeypatch.setattr(one_file, "CHUNK_BYTES", 1_000_000)
    path = write(tmp_path / "events.gz", EVENTS)

    stopped = run_import(path, reserve_bytes=reserve)
    left = os.statvfs(small_disk)
    staged = len(list(small_disk.glob("imports/*/*.ndjson")))
    subprocess.run(["/bin/mount", "-o", "remount,size=64m", small_disk], check=True)
    resumed = run_import(path, reserve_bytes=reserve)

    assert (stopped.returncode, resumed.returncode) == (1, 0)
    assert "is full" in stopped.stderr
    assert "goes on where this one stopped" in stopped.stderr
    assert stopped.stderr.count("\n") == 1
    assert left.f_bavail * left.f_frsize >= reserve
    assert staged >= 5
    assert sorted(line["message_id"] for line in parsed(small_disk)) == IDS


def test_a_disk_that_is_full_in_the_middle_of_a_write_leaves_no_half_of_a_chunk(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_file, "CHUNK_BYTES", 1_000_000)
    monkeypatch.setattr("receiver.importing.staging.has_space", lambda *_: True)
    path = write(tmp_path / "events.gz", EVENTS)

    stopped = run_import(path)
    subprocess.run(["/bin/mount", "-o", "remount,size=64m", small_disk], check=True)
    resumed = run_import(path)

    assert (stopped.returncode, resumed.returncode) == (1, 0)
    assert "is full" in stopped.stderr
    assert sorted(line["message_id"] for line in parsed(small_disk)) == IDS


def test_a_landing_folder_that_cannot_be_used_is_said_in_a_line(
    settings: Settings, tmp_path: Path
) -> None:
    settings.landing.write_text("a file")

    result = run_import(write(tmp_path / "a.json", EVENTS[:1]))

    assert result.returncode == 1
    assert "SEAMLINE_LANDING" in result.stderr
    assert result.stderr.count("\n") == 1
