"""`seamline`: its help costs nothing, every command is one of a part's, problem is one line."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from landed.settings import ROOT
from seamline.commands import COMMANDS, cli

HELP = """
import sys
from seamline.commands import cli
try:
    cli(["--help"])
except SystemExit:
    heavy = {"duckdb", "dagster", "dbt", "gevent", "pyarrow"} & set(sys.modules)
    sys.exit(f"imported: {heavy}" if heavy else 0)
"""


def test_the_help_names_every_command_and_imports_no_part() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (shown.returncode, shown.stderr) == (0, "")
    assert [name for name in COMMANDS if f"  {name} " not in shown.stdout] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_a_command_of_its_part_with_a_help_of_its_own(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)

    assert command is not None
    assert command.help
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_what_is_no_command_is_said_to_be_none() -> None:
    refused = CliRunner().invoke(cli, ["lod"])

    assert refused.exit_code == 2
    assert "No such command 'lod'" in refused.output


@pytest.mark.usefixtures("settings")
def test_a_wrong_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEAMLINE_LOCK_SECONDS", "soon")

    refused = CliRunner().invoke(cli, ["status"])

    assert refused.exit_code == 1
    assert refused.stderr.startswith("SEAMLINE_LOCK_SECONDS: ")
    assert refused.stderr.count("\n") == 1
