"""Receivers for tests: applications, started servers, and those that refuse to start."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.__main__ import main
from tests.support.processes import free_port
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.server import RunningReceiver


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppReceiver]:
    """An application that the tests of a file share, who tell their events apart by `new_id`.

    No other file's: what has landed is read whole for each look, and some files land much.
    """
    receiver = AppReceiver(tmp_path_factory.mktemp("app"))
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def make_apps(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., AppReceiver]]:
    """Create applications for the tests of a file, each with a folder and settings of its own."""
    made = []

    def make(folder: Path | None = None, **settings: Any) -> AppReceiver:
        made.append(AppReceiver(folder or tmp_path_factory.mktemp("app"), **settings))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., AppReceiver]]:
    """Create applications in a test's own `tmp_path`."""
    made = []

    def make(**settings: Any) -> AppReceiver:
        made.append(AppReceiver(tmp_path, **settings))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A started receiver that is shared: tests tell their events apart by `new_id`."""
    running = RunningReceiver(tmp_path_factory.mktemp("receiver"))
    yield running
    running.kill()


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[Callable[..., RunningReceiver]]:
    """Start receivers of a test's own; all use its `tmp_path`, and none outlives it."""
    started = []

    def start(prelude: str = "", **settings: object) -> RunningReceiver:
        started.append(RunningReceiver(tmp_path, prelude, **settings))
        return started[-1]

    yield start
    for running in started:
        running.kill()


Refusal = Callable[..., str]


@pytest.fixture
def refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Refusal:
    """Run `python -m receiver` in this process, where it has to refuse; return what it says.

    It begins in the test's `tmp_path`, with nothing of this machine, and never gets to serve.
    """
    for name in [name for name in os.environ if name.startswith("SEAMLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["receiver"])
    monkeypatch.setattr("receiver.server.application.prepare_metrics_folder", lambda: None)
    monkeypatch.setattr(
        "receiver.server.application.Server.run", lambda _: pytest.fail("it would serve")
    )

    def refuse(**settings: object) -> str:
        places = {"landing": tmp_path / "landing", "sources": tmp_path / "sources.toml"}
        for name, value in ({"port": free_port()} | places | settings).items():
            monkeypatch.setenv(f"SEAMLINE_{name.upper()}", str(value))
        umask = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as stopped:
                main()
        finally:
            os.umask(umask)
        assert stopped.value.code == 1
        return capsys.readouterr().err.removesuffix("\n")

    return refuse
