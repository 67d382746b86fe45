"""`python -m stack`, as its user sees it when it cannot start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from stack.__main__ import cli
from tests.support.stack.stand_ins import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from orchestration.settings import Settings

FREE_PORTS = {"SEAMLINE_PORT": "18473", "SEAMLINE_DAGSTER_PORT": "18474"}


def run(**environment: str) -> Result:
    """Try to start the stack with these settings on top of the test's own."""
    return CliRunner().invoke(cli, ["run"], env=environment)


@pytest.mark.parametrize("setting", ["SEAMLINE_PORT", "SEAMLINE_DAGSTER_PORT"])
@pytest.mark.usefixtures("settings")
def test_a_taken_port_is_one_line_that_names_the_setting(setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        refused = run(**FREE_PORTS | {setting: port})
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.count("\n") == 1
    assert f"Port {port}" in refused.stderr
    assert f"set {setting} to another one" in refused.stderr


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("setting", "prefix"),
    [
        ("SEAMLINE_LANDING", ""),
        ("SEAMLINE_WAREHOUSE", "ducklake:sqlite:"),
        ("SEAMLINE_WAREHOUSE_DATA", ""),
        ("DAGSTER_HOME", ""),
    ],
)
def test_a_folder_that_cannot_be_written_is_one_line_that_names_the_setting(
    tmp_path: Path, setting: str, prefix: str
) -> None:
    (tmp_path / "file").touch()
    refused = run(**{setting: f"{prefix}{tmp_path}/file/folder/catalog.sqlite"})
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
    assert f"set {setting} to another folder" in refused.stderr


def test_a_setting_that_makes_no_sense_is_one_line_that_names_it(settings: Settings) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "stack", "run"],
        cwd=ROOT,
        env=os.environ | {"SEAMLINE_PORT": "eighty"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("SEAMLINE_PORT: ")
    assert refused.stderr.count("\n") == 1
    assert not settings.dagster_home.exists()
