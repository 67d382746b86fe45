"""sources.toml is written once, with keys nobody else has."""

from __future__ import annotations

import stat
import tomllib
from typing import TYPE_CHECKING
from unittest.mock import ANY

import pytest

from demo.timeline import first_write_key
from landed.errors import ReportedError
from receiver.senders.sources import load_sources
from stack.errors import StackError
from stack.preflight import write_sources_if_missing

if TYPE_CHECKING:
    from pathlib import Path


def test_a_missing_file_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    assert write_sources_if_missing(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    default, segment = tomllib.loads(path.read_text())["source"]
    assert default == {"name": "default", "browser_keys": [ANY], "server_keys": [ANY]}
    assert segment == {
        "name": "segment",
        "webhook_keys": [ANY],
        "shared_secrets": [ANY],
        "may_delete": False,
    }
    assert [len(key) for key in load_sources(path).named("default").server_keys] == [32]
    assert load_sources(path).warnings == ()


def test_two_files_have_different_keys(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sources_if_missing(tmp_path / name)
    assert first_write_key(tmp_path / "one") != first_write_key(tmp_path / "two")


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text("# mine")
    assert not write_sources_if_missing(path)
    assert path.read_text() == "# mine"


def test_a_place_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="SEAMLINE_SOURCES"):
        write_sources_if_missing(tmp_path / "file" / "sources.toml")


@pytest.mark.parametrize("kind", ["server_keys", "browser_keys", "write_keys"])
def test_the_demo_sends_with_the_first_key_there_is(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(
        '[[source]]\nname = "hook"\nshared_secrets = ["s"]\n'
        f'[[source]]\nname = "site"\n{kind} = ["first", "second"]\n'
    )
    assert first_write_key(path) == "first"


@pytest.mark.parametrize("text", ["", "[[source]]\nname = 'hook'\n", "not toml"])
def test_a_file_without_a_write_key_is_an_error_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text)
    with pytest.raises(ReportedError) as refused:
        first_write_key(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
