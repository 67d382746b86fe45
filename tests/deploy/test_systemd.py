"""deploy/systemd: systemd takes the units, and what they start and set is there."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from landed.settings import ROOT
from seamline.commands import COMMANDS
from stack.settings import Settings
from stack.supervisor import GRACE

FOLDER = ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
INSTALLED = "/opt/seamline/.venv/bin"
BY_HAND = FOLDER / "seamline.sh"


def _values(text: str, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_a_unit_starts_is_there(unit: Path) -> None:
    (line,) = _values(unit.read_text(), "ExecStart")
    program, first, *rest = line.removeprefix(f"{INSTALLED}/").split()

    assert line.startswith(f"{INSTALLED}/")
    if program == "seamline":
        assert first in COMMANDS
    else:
        assert (program, first) == ("python", "-m")
        assert find_spec(rest[0])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_a_unit_sets_are_settings(unit: Path) -> None:
    names = {value.partition("=")[0] for value in _values(unit.read_text(), "Environment")}

    assert names <= {*Settings.names().values(), "PATH"}


def test_what_the_example_of_secrets_sets_are_settings() -> None:
    text = (FOLDER / "seamline.env.example").read_text()
    names = set(re.findall(r"^#(\w+)=", text, re.MULTILINE))

    assert {name for name in names if not name.startswith("AWS_")} <= set(Settings.names().values())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_has_time_to_seal_and_may_write_to_one_folder(unit: Path) -> None:
    text = unit.read_text()

    assert all(float(seconds) > GRACE for seconds in _values(text, "TimeoutStopSec"))
    assert _values(text, "TimeoutStopSec") or "Type=oneshot" in text
    assert _values(text, "ReadWritePaths") == ["/var/lib/seamline"]
    assert _values(text, "User") == ["seamline"]


def test_a_command_by_hand_has_what_the_units_set() -> None:
    of_units = {value for unit in UNITS for value in _values(unit.read_text(), "Environment")}
    by_hand = set(re.findall(r"^export (\S+)$", BY_HAND.read_text(), re.MULTILINE))

    assert by_hand - {"HOME=/var/lib/seamline"} == {
        value for value in of_units if not value.startswith("PATH=")
    }


def test_a_command_by_hand_is_the_users_and_the_file_of_settings_wins(tmp_path: Path) -> None:
    stand_ins = {
        "runuser": 'printf "%s " "$@" >&2; shift 3; exec "$@"',
        "seamline": 'printf "%s|" "$@" "$SEAMLINE_WAREHOUSE" "$SEAMLINE_LANDING" "$PWD"; umask',
    }
    for name, script in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "seamline.env").write_text(
        "# of root's\n#SEAMLINE_LANDING=/elsewhere\n"
        "SEAMLINE_WAREHOUSE='ducklake:postgres:host=db user=s'\n"
    )
    text = BY_HAND.read_text().replace("/etc/seamline/", f"{tmp_path}/")
    text = text.replace(f"{INSTALLED}/", f"{tmp_path}/").replace("cd /opt/seamline", "cd /")

    done = subprocess.run(
        ["sh", "-c", text, "seamline", "forget", "--user-id=the 'id' $1"],  # noqa: S607
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stderr.startswith(f"-u seamline -- {tmp_path}/seamline forget")
    assert done.stdout.strip().split("|") == [
        "forget",
        "--user-id=the 'id' $1",
        "ducklake:postgres:host=db user=s",
        "/var/lib/seamline/landing",
        "/",
        "0077",
    ]


def test_the_page_installs_the_command() -> None:
    page = (ROOT / "docs" / "deploy.md").read_text()

    assert f"install -m 0755 deploy/systemd/{BY_HAND.name} /usr/local/sbin/seamline\n" in page
    assert os.access(BY_HAND, os.X_OK)


@pytest.mark.integration
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_them_and_finds_them_hardened(unit: Path, tmp_path: Path) -> None:
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("wants systemd-analyze")
    for path in UNITS:
        text = path.read_text().replace(INSTALLED, str(Path(sys.executable).parent))
        (tmp_path / path.name).write_text(text)
    made = str(tmp_path / unit.name)

    verified = _run(systemd, "verify", "--man=no", "--recursive-errors=no", made)
    reviewed = _run(systemd, "security", "--offline=true", "--no-pager", "--threshold=25", made)

    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    assert reviewed.returncode == 0, reviewed.stdout


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)
