"""The power goes while rows are written: the warehouse has what it says, and the rest is loaded."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from landed.folders import CALLS
from tests.support.faults.killed_loads import Sent, forms, ledger_faults
from tests.support.faults.power_cut import JournalledHouse
from tests.support.faults.report import Report
from tests.support.house import TABLES, House
from tests.support.warehouse import rows

LOAD = """
from orchestration.models.run import failures, run_models
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support.warehouse import spare_the_processor
spare_the_processor()
load(Settings())
assert failures(run_models(Settings(), {models})) == []
"""
"""What a run of Dagster's does, but for the views on the tables."""

UNSYNCED = """
import runpy, sys
from orchestration.durable_files import NewFiles
NewFiles.sync = lambda self: None
sys.argv = ["orchestration", "load"]
runpy.run_module("orchestration", run_name="__main__")
"""


@pytest.fixture
def house(prepared_house: Path, tmp_path: Path) -> House:
    """A house in a folder of its own, with all its tables."""
    return House(tmp_path / "house").move_in(prepared_house)


@pytest.fixture
def sent(house: House) -> Sent:
    """A few events in all tables, and more that wait, with new names in them."""
    sent = Sent(house.settings)
    sent.land(len(CALLS))
    house.load()
    sent.land(2 * len(CALLS), event="Bought", properties={"products": [{"sku": "a"}]})
    return sent


def faults(sent: Sent, tables: Sequence[str]) -> dict[str, object]:
    """What is missing of what was sent, in the final tables too, or is there more than once."""
    found = sent.missing()
    for table in tables:
        there = rows(sent.settings, f'select message_id from segment."{table}" order by all')
        if [message_id for (message_id,) in there] != sorted(sent.ids[table]):
            found[f"segment.{table}"] = len(there)
    return found


@forms(short=1, long=30, minutes=30, what="count", in_test_long=True)
def test_whenever_the_power_goes_the_next_load_has_everything_once(
    house: House,
    sent: Sent,
    shim_library: Path,
    report: Report,
    chance: random.Random,
    count: int,
) -> None:
    tables = TABLES if count > 1 else chance.sample(TABLES, 2)
    models = [name for table in tables for name in (f"stg_segment__{table}", table)]
    journalled = JournalledHouse(house, shim_library)
    journalled.run("-c", LOAD.replace("{models}", str(models)))

    assert journalled.unsynced() == []
    done = 0
    for left in journalled.cuts(count, chance):
        assert ledger_faults(left.settings) == {}
        left.load()
        left.dbt("run", "--select", *models)
        assert faults(replace(sent, settings=left.settings), tables) == {}
        done += 1
    report.add("F04", "power cuts during a load and its models", cuts=done, lost_or_twice=0)


@pytest.mark.long
@pytest.mark.usefixtures("sent")
def test_without_the_sync_of_new_files_the_power_cut_test_would_fail(
    house: House, shim_library: Path
) -> None:
    journalled = JournalledHouse(house, shim_library)
    journalled.run("-c", UNSYNCED)

    with pytest.raises(duckdb.Error, match="parquet"):
        ledger_faults(journalled.cut_at_the_end().settings)
