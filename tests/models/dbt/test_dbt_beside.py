"""dbt beside the running product: what reads takes no lock, what writes gives it back."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.warehouse.writer_lock import is_held, writer_lock
from tests.support import landed
from tests.support.docs.pages import BY_NAME
from tests.support.house import House

PAGE = BY_NAME["docs/dbt.md"]
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in PAGE.blocks("sh")
    for line in block.text.splitlines()
    if line.startswith("dbt ")
]
WRITERS = {"run", "build", "snapshot", "seed"}


def run(house: House, *arguments: str, **more: str) -> tuple[int, str]:
    return house.try_dbt(
        *arguments, **{"SEAMLINE_LOCK_SECONDS": "0.2", "DBT_WRITE_JSON": "true"} | more
    )


@pytest.mark.any_one
@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] not in WRITERS], ids=" ".join)
def test_what_only_reads_works_while_another_writes_and_changes_nothing(
    built_house: House, arguments: list[str]
) -> None:
    built_house.land(
        "page", landed.line({"messageId": "a", "type": "page", "properties": {"b": 1}})
    )
    built_house.load()  # fields that are not placed yet
    before = built_house.snapshots()
    with writer_lock(built_house.settings):
        status, printed = run(built_house, *arguments)

    assert (status, built_house.snapshots()) == (0, before), printed


@pytest.mark.parametrize("arguments", [["run"], ["run-operation", "create_schema"]], ids=" ".join)
def test_what_writes_waits_for_the_writer_and_names_it(
    built_house: House, arguments: list[str]
) -> None:
    before = built_house.snapshots()
    with writer_lock(built_house.settings):
        status, printed = run(built_house, *arguments)

    assert status != 0
    assert f"process {os.getpid()}, since 2" in printed
    assert built_house.snapshots() == before


@pytest.mark.any_one
@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] in WRITERS], ids=" ".join)
def test_what_writes_works_and_gives_the_lock_back(
    built_house: House, arguments: list[str]
) -> None:
    few = ["--select", "stg_segment__alias", "alias"] if "--select" not in arguments else []
    status, printed = run(built_house, *arguments, *few)

    assert (status, is_held(built_house.settings)) == (0, False), printed


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_notebook_runs_what_the_page_shows(built_house: House, tmp_path: Path) -> None:
    (program,) = (block.text for block in PAGE.blocks("python"))
    own = {"DBT_TARGET_PATH": str(tmp_path / "target"), "DBT_LOG_PATH": str(tmp_path / "logs")}
    checked = program.replace("dbtRunner().invoke(", "assert dbtRunner().invoke(").replace(
        "*where])", "*where]).success"
    )

    done = subprocess.run(
        [sys.executable, "-c", checked],
        cwd=ROOT,
        env=os.environ | built_house.environment | own,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert checked.count("assert") == done.stdout.count("Running with dbt") == 2
