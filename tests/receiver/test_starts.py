"""Starting: with everything in place, or not at all and with one line that says why."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from receiver.settings import ROOT, Settings
from receiver.sources import write_sources
from tests.support.receiver import SOURCES, RunningReceiver, free_port, start_process


def refusal(folder: Path, prelude: str = "", **settings: object) -> str:
    """Start a receiver that has to refuse; return what it said."""
    log = folder / "stderr"
    process = start_process(folder, prelude, log, **({"port": free_port()} | settings))
    try:
        assert process.wait(timeout=20) == 1
    except subprocess.TimeoutExpired:
        process.terminate()
        raise
    return log.read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything a receiver needs."""
    write_sources(tmp_path / "sources.toml", SOURCES)
    return tmp_path


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = refusal(folder, port=port)

    assert said == (
        f"receiver: 127.0.0.1:{port} is taken. "
        "SEAMLINE_PORT and SEAMLINE_HOST name another address.\n"
    )


def test_missing_sources_are_named(tmp_path: Path) -> None:
    said = refusal(tmp_path)

    assert said.startswith(f"receiver: {tmp_path / 'sources.toml'}: No such file or directory.")
    assert "SEAMLINE_SOURCES" in said
    assert said.count("\n") == 1


def test_a_landing_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").write_text("")

    said = refusal(folder, landing=folder / "file" / "landing")

    assert "cannot be written to: Not a directory. SEAMLINE_LANDING" in said
    assert said.count("\n") == 1


def test_a_landing_folder_open_to_everybody_is_refused(folder: Path) -> None:
    (folder / "landing").mkdir()
    (folder / "landing").chmod(0o777)

    said = refusal(folder)

    assert "by everybody" in said
    assert said.count("\n") == 1


def test_settings_out_of_range_are_named(folder: Path) -> None:
    said = refusal(folder, port="http", seal_seconds=0, depth=129)

    assert said.startswith("receiver: SEAMLINE_")
    for name in ("SEAMLINE_PORT: ", "SEAMLINE_SEAL_SECONDS: ", "SEAMLINE_DEPTH: "):
        assert name in said
    assert said.count("\n") == 1


def test_a_landing_folder_is_created_for_its_owner_alone(server: RunningReceiver) -> None:
    assert server.landing.stat().st_mode & 0o777 == 0o700


def test_paths_are_relative_to_the_repository(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("SEAMLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SEAMLINE_SOURCES", "keys/sources.toml")
    monkeypatch.chdir(tmp_path)

    settings = Settings(_env_file=None)

    assert settings.landing == ROOT / "landing"
    assert settings.sources == ROOT / "keys" / "sources.toml"


def test_sizes_may_be_written_for_people() -> None:
    assert Settings(seal_bytes="64MiB").seal_bytes == 64 * 1024 * 1024
