"""The command, as its user sees it."""

import os
import pty
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.settings import Settings
from receiver.files.recovery import recover
from receiver.importing import import_progress
from tests.support.importing import (
    command,
    environment,
    events,
    parsed,
    run_import,
    run_process,
    write,
)

SLOW = """
import receiver.importing.one_file as one, time
one.CHUNK_BYTES, real = 20_000, one.stage
def slow(*arguments):
    time.sleep(0.2)
    print("staged", flush=True)
    real(*arguments)
one.stage = slow
"""


def test_it_says_of_each_file_what_has_landed(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [*events("told", 12), b"no event"])

    result = run_process(path, "--source", "old-site")

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == (
        f"{path} imported as old-site: "
        "2 alias, 2 group, 2 identify, 2 page, 1 rejected, 2 screen, 2 track.\n"
    )
    assert len(parsed(settings.landing)) == 13


def test_make_import_is_this_command(settings: Settings, tmp_path: Path) -> None:
    shown = subprocess.run(
        [str(shutil.which("make")), "-n", "import", f"FILE={tmp_path} s3://bucket/b", "SOURCE=old"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip

    expected = f"python -m receiver import --source old {tmp_path} s3://bucket/b"
    assert expected in shown.stdout
    assert not settings.landing.exists()


def test_without_a_file_it_says_what_it_wants() -> None:
    result = run_import()

    assert result.returncode == 2
    assert "FILE" in result.stderr


def test_elsewhere_than_on_a_terminal_it_says_now_and_then_how_far_it_is(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_progress, "SECONDS_BETWEEN_LINES", 0)
    path = write(tmp_path / "a.json", events("far", 3000, size=500))

    result = run_import(path)

    assert "2 of 2 MB, 3,000 events" in result.stdout
    assert len(parsed(settings.landing)) == 3000


def test_on_a_terminal_there_is_a_bar(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", events("bar", 300, size=500))
    controlling, terminal = pty.openpty()
    running = subprocess.Popen(
        command(path, prelude=SLOW), cwd=ROOT, env=environment() | {"TERM": "xterm"},
        stdout=terminal, stderr=terminal,
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    while True:
        try:
            shown += os.read(controlling, 1 << 16)
        except OSError:  # the other end is closed
            break
    os.close(controlling)

    assert running.wait() == 0
    assert "━".encode() in shown
    assert b"300 events" in shown
    assert len(parsed(settings.landing)) == 300


def test_ctrl_c_stops_it_in_a_line_and_it_goes_on(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", events("stopped", 300, size=500))
    running = subprocess.Popen(
        command(path, prelude=SLOW), cwd=ROOT, env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout
    for _ in range(3):
        running.stdout.readline()
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)

    assert running.returncode == 130
    assert said.strip() == "Stopped. The same command again goes on from here."
    assert run_import(path).returncode == 0
    assert len(parsed(settings.landing)) == 300


def test_a_receiver_that_starts_meanwhile_leaves_the_import_alone(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", events("beside", 300, size=500))
    running = subprocess.Popen(
        command(path, prelude=SLOW), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert running.stdout
    running.stdout.readline()
    while running.poll() is None:
        assert recover(settings.landing) == []
        time.sleep(0.05)
    running.stdout.close()

    assert running.returncode == 0
    assert len(parsed(settings.landing)) == 300
