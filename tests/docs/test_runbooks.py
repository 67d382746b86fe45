"""The commands of the runbooks, run as written, on a house that is in the problem they are for."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

RUNBOOKS = ROOT / "docs" / "runbooks"
COMMANDS = re.compile(r"^ *```sh\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def event(message_id: str) -> bytes:
    return landed.line({"messageId": message_id, "type": "track", "event": "E"})


@pytest.fixture(scope="module")
def original(built_house: House) -> House:
    """A house with two events and a reject, loaded and modelled."""
    built_house.land("track", event("a"), event("b"))
    too_big = b'{"type":"track","messageId":"big","event":"E"}'
    built_house.land("rejected", landed.rejected_line(too_big, reason="too_big"))
    built_house.load()
    built_house.dbt("run")
    return built_house


@pytest.fixture
def house(original: House, tmp_path: Path) -> House:
    (tmp_path / ".dagster").mkdir()
    return original.copy(tmp_path)


def follow(runbook: str, house: House) -> str:
    """Run every command of a runbook in its order; return what they printed."""
    folder = house.folder
    printed = ""
    for commands in COMMANDS.findall((RUNBOOKS / runbook).read_text()):
        for name in ("landing", "warehouse", ".dagster"):
            commands = re.sub(rf"(?<![\w./-]){re.escape(name)}\b", str(folder / name), commands)  # noqa: PLW2901
        done = subprocess.run(
            ["bash", "-eu", "-c", commands],  # noqa: S607
            cwd=ROOT,
            env=os.environ
            | house.environment
            | {"SEAMLINE_RESERVE_BYTES": "0", "DAGSTER_HOME": str(folder / ".dagster")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}"
        printed += done.stdout
    return printed


def tracks(house: House) -> list[tuple[str, ...]]:
    return house.rows("select * from segment.track order by message_id")


def change(sql: str) -> Callable[[House], None]:
    def do(house: House) -> None:
        with writer_lock(house.settings), connect(house.settings) as con:
            con.execute(sql)

    return do


def spoil_catalog(house: House) -> None:
    house.settings.catalog.write_bytes(b"no catalog" * 1000)


def land_one_more(house: House) -> None:
    house.land("track", event("waiting"))


@pytest.mark.parametrize(
    ("runbook", "problem", "more"),
    [
        ("rebuild.md", change("delete from raw.track where message_id = 'a'"), []),
        ("damaged-catalog.md", spoil_catalog, []),
        ("replay.md", change("delete from segment.track where message_id = 'a'"), ["big"]),
        ("disk-full.md", land_one_more, ["waiting"]),
        ("stopped-sensor.md", land_one_more, ["waiting"]),
    ],
)
def test_after_it_the_house_is_as_it_should_be(
    house: House, runbook: str, problem: Callable[[House], None], more: list[str]
) -> None:
    before = tracks(house)
    problem(house)

    printed = follow(runbook, house)

    assert "Every line is where it has to be" in printed
    assert house.problems() == []
    now = tracks(house)
    assert [row for row in now if row[0] not in more] == before
    assert sorted(row[0] for row in now) == sorted(["a", "b", *more])
