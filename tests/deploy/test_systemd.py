"""deploy/systemd: systemd takes the units, and what they start and set is there."""

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
