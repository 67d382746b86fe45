"""dbt beside the running product: what reads takes no lock, what writes gives it back."""

import os
import re
import shlex

import pytest

from landed.settings import ROOT
from orchestration.warehouse.writer_lock import is_held, writer_lock
from tests.support import landed
from tests.support.house import House

PAGE = (ROOT / "docs" / "dbt.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("dbt ")
]
WRITERS = {"run", "build", "snapshot", "seed"}


def run(house: House, *arguments: str, **more: str) -> tuple[int, str]:
    return house.try_dbt(
        *arguments, **{"SEAMLINE_LOCK_SECONDS": "0.2", "DBT_WRITE_JSON": "true"} | more
    )


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


@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] in WRITERS], ids=" ".join)
def test_what_writes_works_and_gives_the_lock_back(
    built_house: House, arguments: list[str]
) -> None:
    few = ["--select", "stg_segment__alias", "alias"] if "--select" not in arguments else []
    status, printed = run(built_house, *arguments, *few)

    assert (status, is_held(built_house.settings)) == (0, False), printed
