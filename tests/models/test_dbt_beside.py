"""dbt beside the running product: what reads takes no lock, what writes gives it back."""

import os
import re
import shlex

import pytest

from landed.settings import ROOT
from orchestration.loading.writer_lock import is_held, writer_lock
from tests.support import landed
from tests.support.forked import run_dbt
from tests.support.lake import Lake

PAGE = (ROOT / "docs" / "dbt.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("dbt ")
]
WRITERS = {"run", "build", "snapshot", "seed"}


def run(lake: Lake, *arguments: str, **more: str) -> tuple[int, str]:
    environment = os.environ | {
        "SEAMLINE_LANDING": str(lake.settings.landing),
        "SEAMLINE_WAREHOUSE": lake.settings.warehouse,
        "SEAMLINE_COLUMNS": str(lake.scratch / "columns.yml"),
        "SEAMLINE_LOCK_SECONDS": "0.2",
        "DBT_TARGET_PATH": str(lake.target),
        "DBT_LOG_PATH": str(lake.scratch / "logs"),
        "DBT_USE_COLORS": "false",
    }
    return run_dbt(arguments, environment | more, lake.scratch / "dbt-output")


@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] not in WRITERS], ids=" ".join)
def test_what_only_reads_works_while_another_writes_and_changes_nothing(
    built_lake: Lake, arguments: list[str]
) -> None:
    built_lake.land("page", landed.line({"messageId": "a", "type": "page", "properties": {"b": 1}}))
    built_lake.load()  # fields that are not placed yet
    before = built_lake.snapshots()
    with writer_lock(built_lake.settings):
        status, printed = run(built_lake, *arguments)

    assert (status, built_lake.snapshots()) == (0, before), printed


@pytest.mark.parametrize("arguments", [["run"], ["run-operation", "create_schema"]], ids=" ".join)
def test_what_writes_waits_for_the_writer_and_names_it(
    built_lake: Lake, arguments: list[str]
) -> None:
    before = built_lake.snapshots()
    with writer_lock(built_lake.settings):
        status, printed = run(built_lake, *arguments)

    assert status != 0
    assert f"process {os.getpid()}, since 2" in printed
    assert built_lake.snapshots() == before


@pytest.mark.parametrize("arguments", [c for c in COMMANDS if c[0] in WRITERS], ids=" ".join)
def test_what_writes_works_and_gives_the_lock_back(built_lake: Lake, arguments: list[str]) -> None:
    few = ["--select", "stg_segment__alias", "alias"] if "--select" not in arguments else []
    status, printed = run(built_lake, *arguments, *few)

    assert (status, is_held(built_lake.settings)) == (0, False), printed
