"""Loading and asking by hand, without Dagster: `make load` and `make sql`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.settings import Settings
from tests.support import landed
from tests.support.forked import run_command
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]


def _prompt(stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "orchestration", "sql"],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
        cwd=ROOT,
    )


def test_one_pass_loads_what_is_sealed_and_the_prompt_shows_it(
    own_house: House, prepared_house: Path
) -> None:
    own_house.move_in(prepared_house)
    event = {"messageId": "m", "type": "track", "event": "Song Played", "userId": 12}
    own_house.land("track", landed.line(event), landed.line(event))
    own_house.land("page", b"damaged\n")

    loading = run_command(["load"], os.environ)

    assert loading.returncode == 0, loading.stderr
    last_line = loading.stdout.splitlines()[-1]
    assert last_line == "Loaded 2 files: 2 track; 1 rejected, see raw.rejected"
    asked = _prompt(".mode csv\nselect message_id, event, user_id from track;")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.splitlines()[-1] == "m,Song Played,12"


@pytest.mark.long
def test_the_prompt_cannot_write(own_house: House, prepared_house: Path) -> None:
    own_house.move_in(prepared_house)

    asked = _prompt("delete from track;")

    assert "read-only" in asked.stderr


def test_without_a_warehouse_the_prompt_says_what_makes_one(settings: Settings) -> None:
    asked = _prompt()

    assert asked.returncode == 1
    assert asked.stderr == (
        f"There is no warehouse at {settings.catalog} yet (SEAMLINE_WAREHOUSE). "
        "`make run` or `make load` makes it.\n"
    )


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("SEAMLINE_WAREHOUSE", "postgres://elsewhere", "SEAMLINE_WAREHOUSE: has to be ducklake"),
        ("SEAMLINE_INTEGRATION_NAME", "123", "SEAMLINE_INTEGRATION_NAME: is '123', and has"),
        ("SEAMLINE_DAGSTER_PORT", "0", "SEAMLINE_DAGSTER_PORT: is '0', and has to"),
        ("SEAMLINE_WAREHOUSE", "ducklake:sqlite:/proc/x/c.sqlite", "cannot be used: No such"),
    ],
)
def test_a_setting_that_cannot_work_is_one_line_that_names_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    assert settings
    monkeypatch.setenv(setting, value)

    loading = run_command(["load"], os.environ)

    assert loading.returncode == 1
    assert said in loading.stderr
    assert len(loading.stderr.splitlines()) == 1
