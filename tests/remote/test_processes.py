"""The processes as they are started: two that receive and ship, one that fetches; and kills."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from landed.settings import ROOT
from tests.remote.machines import Loader, Machines, send
from tests.support.processes import plain_environment
from tests.support.receiver.server import RunningReceiver

pytestmark = pytest.mark.scale

ROUNDS = 2
EVENTS = 10
SECONDS = 60


class Process:
    """A process that is started again when it was killed."""

    def __init__(self, module: str, *arguments: str, log: Path, **environment: object) -> None:
        """Start it."""
        self._command = [sys.executable, "-m", module, *arguments]
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        own = {name: str(value) for name, value in environment.items()}
        self._environment = plain_environment() | aws | own
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it once more."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill it, wherever it is."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def started() -> Iterator[list[Process]]:
    """What is ended with the test."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()


def test_whoever_is_killed_each_event_is_a_row_once(
    machines: Machines,
    loader: Loader,
    started: list[Process],
    tmp_path: Path,
    chance: random.Random,
) -> None:
    receivers = []
    for number in range(2):
        folder = tmp_path / f"web-{number}"
        folder.mkdir()
        receivers.append(RunningReceiver(folder, seal_seconds=0.1))
        started.append(
            Process(
                *("receiver", "ship"),
                log=folder / "ship",
                SEAMLINE_LANDING=folder / "landing",
                SEAMLINE_LANDING_REMOTE=machines.address,
            )
        )
    started.append(
        Process(*("orchestration", "fetch"), log=tmp_path / "fetch", **loader.environment)
    )
    sent = 0
    for _ in range(ROUNDS):
        for _ in range(EVENTS):
            assert send(receivers[sent % 2], sent).status_code == 200
            sent += 1
        time.sleep(chance.random())
        victim = chance.choice(started)
        victim.kill()
        loader.take()
        victim.start()
    deadline = time.monotonic() + SECONDS
    while loader.messages().total() < sent or machines.keys("waiting"):
        loader.take()
        assert time.monotonic() < deadline, (tmp_path / "fetch").read_text()
        time.sleep(0.2)

    for receiver in receivers:
        assert receiver.stop() == 0
        assert list(receiver.landing.glob("*/*.ndjson")) == []
    assert loader.messages() == machines.once(range(sent))
    assert loader.problems() == []
    # one process at a time has a landing folder, and a loader's own is nobody else's
    refused = Process(
        *("receiver", "ship"),
        log=tmp_path / "refused",
        SEAMLINE_LANDING=loader.landing,
        SEAMLINE_LANDING_REMOTE=machines.address,
    )
    assert refused.process.wait(30) == 1
    assert "loader's landing folder" in (tmp_path / "refused").read_text()
