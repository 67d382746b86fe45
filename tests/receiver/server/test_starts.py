"""Starting: with everything in place, or not at all and with one line that says why."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from landed.settings import ROOT
from receiver.senders.sources import write_sources
from receiver.settings import Settings
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.fixtures import Refusal
from tests.support.receiver.senders import SOURCES
from tests.support.receiver.server import start_process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with everything a receiver needs."""
    write_sources(tmp_path / "sources.toml", SOURCES)
    return tmp_path


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.usefixtures("folder")
def test_a_taken_port_is_named(refusal: Refusal, taken: int) -> None:
    assert refusal(port=taken) == (
        f"127.0.0.1:{taken} is taken. SEAMLINE_PORT and SEAMLINE_HOST name another address."
    )


def test_a_process_that_refuses_to_start_says_so_in_a_line_and_ends_with_1(
    folder: Path, taken: int
) -> None:
    process = start_process(folder, "", folder / "stderr", port=taken)

    assert process.wait(timeout=60) == 1
    said = (folder / "stderr").read_text()
    assert said.startswith(f"127.0.0.1:{taken} is taken.")
    assert said.count("\n") == 1


def test_missing_sources_are_named(tmp_path: Path, refusal: Refusal) -> None:
    said = refusal()

    assert said.startswith(f"{tmp_path / 'sources.toml'}: No such file or directory.")
    assert "SEAMLINE_SOURCES" in said
    assert "\n" not in said


def test_a_landing_folder_that_cannot_be_written_is_named(folder: Path, refusal: Refusal) -> None:
    (folder / "file").write_text("")

    said = refusal(landing=folder / "file" / "landing")

    assert "cannot be written to: Not a directory. SEAMLINE_LANDING" in said
    assert "\n" not in said


def test_a_landing_folder_open_to_everybody_is_refused(folder: Path, refusal: Refusal) -> None:
    (folder / "landing").mkdir()
    (folder / "landing").chmod(0o777)

    said = refusal()

    assert "by everybody" in said
    assert "\n" not in said


@pytest.mark.parametrize("name", ["track", "rejected", "imports", "suppressed"])
def test_a_folder_in_landing_that_everybody_can_write_to_is_refused(
    folder: Path, refusal: Refusal, name: str
) -> None:
    (folder / "landing" / name).mkdir(parents=True)
    (folder / "landing" / name).chmod(0o777)

    said = refusal()

    assert said.startswith(f"{folder / 'landing' / name} can be written to by everybody;")
    assert "\n" not in said


@pytest.mark.parametrize("name", [".", "suppressed"])
def test_a_landing_folder_that_its_group_can_write_to_is_warned_of(
    tmp_path: Path, make_app: Callable[..., AppReceiver], name: str
) -> None:
    landing = tmp_path / "landing"
    for one in (landing, landing / "suppressed"):
        one.mkdir(mode=0o700)
    (landing / name).chmod(0o775)

    (line,) = make_app().logged("landing_warning")

    assert line["warning"] == (
        f"{landing / name} has mode 0775: its group can plant and exchange files in it; "
        f"chmod g-w {landing / name}"
    )


def test_settings_out_of_range_are_named(refusal: Refusal) -> None:
    said = refusal(port="http", seal_seconds=0, depth=129)

    assert said.startswith("SEAMLINE_")
    for name in ("SEAMLINE_PORT: ", "SEAMLINE_SEAL_SECONDS: ", "SEAMLINE_DEPTH: "):
        assert name in said
    assert "\n" not in said


def test_a_landing_folder_is_created_for_its_owner_alone(app: AppReceiver) -> None:
    assert app.landing.stat().st_mode & 0o777 == 0o700


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
