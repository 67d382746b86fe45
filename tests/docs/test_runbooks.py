"""The commands of the runbooks, run as written and in their order.

The cheap form runs all but `make`, on folders as they are, and proves each `make` there is. The
long one runs everything, in an installation that has the problem which the runbook is for.
"""

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
from tests.support.docs.documented_commands import prove
from tests.support.docs.pages import BY_NAME, PAGES, Page
from tests.support.house import House

RUNBOOKS = [page for page in PAGES if page.path.parent == ROOT / "docs" / "runbooks"]
FOLDERS = ("landing", "warehouse", ".dagster")


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


def run(commands: str, cwd: Path, **environment: str) -> str:
    """Run commands as a shell that somebody types them into; return what they printed."""
    done = subprocess.run(
        ["bash", "-eu", "-c", commands],  # noqa: S607
        cwd=cwd,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}"
    return done.stdout


def follow(runbook: str, house: House) -> str:
    """Run every command of a runbook in its order; return what they printed."""
    environment = house.environment | {
        "SEAMLINE_RESERVE_BYTES": "0",
        "DAGSTER_HOME": str(house.folder / ".dagster"),
    }
    printed = ""
    for commands in steps(BY_NAME[f"docs/runbooks/{runbook}"]):
        for name in FOLDERS:
            commands = re.sub(  # noqa: PLW2901
                rf"(?<![\w./-]){re.escape(name)}\b", str(house.folder / name), commands
            )
        printed += run(commands, ROOT, **environment)
    return printed


def steps(runbook: Page) -> list[str]:
    return [block.text for block in runbook.blocks("sh")]


@pytest.mark.parametrize("runbook", RUNBOOKS, ids=lambda page: page.path.stem)
def test_every_step_can_be_typed_and_every_make_in_it_is_one(runbook: Page, tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / folder / "track").mkdir(parents=True)
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite.before-20261122T052446"):
        (tmp_path / "warehouse" / name).touch()
    stand_in = tmp_path / "bin" / "make"
    stand_in.parent.mkdir()
    stand_in.write_text(
        f'#!/bin/bash\nprintf "%q " "$@" >> {tmp_path}/made; echo >> {tmp_path}/made'
    )
    stand_in.chmod(0o755)

    for commands in steps(runbook):
        run(commands, tmp_path, PATH=f"{stand_in.parent}:{os.environ['PATH']}")

    made = (tmp_path / "made").read_text().splitlines()
    assert "verify " in made
    for arguments in made:
        prove(f"make {arguments}")


def test_a_catalog_is_put_aside_with_its_log_and_an_old_one_goes(tmp_path: Path) -> None:
    """What the loops and patterns of two runbooks are for."""
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite.before-20261122T052446"):
        (warehouse / name).touch()

    run(steps(BY_NAME["docs/runbooks/damaged-catalog.md"])[0], tmp_path)
    run(steps(BY_NAME["docs/runbooks/rebuild.md"])[-1], tmp_path)

    left = sorted(path.name for path in warehouse.iterdir())
    assert left == ["damaged-catalog.sqlite", "damaged-catalog.sqlite-wal"]


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


def land_a_person(house: House) -> None:
    person = {"messageId": "theirs", "type": "track", "event": "E", "userId": "the-id"}
    house.land("track", landed.line(person))
    house.load()
    house.dbt("run", "--select", "track")


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("runbook", "problem", "more"),
    [
        ("rebuild.md", change("delete from raw.track where message_id = 'a'"), []),
        ("damaged-catalog.md", spoil_catalog, []),
        ("replay.md", change("delete from segment.track where message_id = 'a'"), ["big"]),
        ("disk-full.md", land_one_more, ["waiting"]),
        ("stopped-sensor.md", land_one_more, ["waiting"]),
        ("erasure.md", land_a_person, []),
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
