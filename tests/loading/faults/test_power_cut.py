"""The power goes while rows are written: the warehouse has what it says, and the rest is loaded."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from landed.folders import CALLS
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support.fault_report import Report
from tests.support.killed_loads import Sent, forms, ledger_faults, query
from tests.support.lake import TABLES, Lake
from tests.support.made_house import house_settings, move_in
from tests.support.power_cut import JournalledHouse

LOAD = """
from orchestration.dbt import failures, run_models
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support.duckdb_config import spare_the_processor
spare_the_processor()
load(Settings())
assert failures(run_models(Settings(), {models})) == []
"""
"""What a run of Dagster's does, but for the views on the tables."""

UNSYNCED = """
import runpy, sys
from orchestration.loading.durable import NewFiles
NewFiles.sync = lambda self: None
sys.argv = ["orchestration", "load"]
runpy.run_module("orchestration", run_name="__main__")
"""


def settings_of(folder: Path, patch: pytest.MonkeyPatch) -> Settings:
    """The settings of the house in a folder, put into the environment too."""
    for name, value in house_settings(folder).items():
        patch.setenv(name, value)
    return Settings()


@pytest.fixture
def sent(prepared_house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """A house with a few events in all its tables, and more that wait, with new names in them."""
    move_in(prepared_house, tmp_path / "house")
    sent = Sent(settings_of(tmp_path / "house", monkeypatch))
    sent.land(len(CALLS))
    load(sent.settings)
    sent.land(2 * len(CALLS), event="Bought", properties={"products": [{"sku": "a"}]})
    return sent


def faults(sent: Sent, tables: Sequence[str]) -> dict[str, object]:
    """What is missing of what was sent, in the final tables too, or is there more than once."""
    found = sent.missing()
    for table in tables:
        rows = query(sent.settings, f'select message_id from segment."{table}" order by all')
        if [message_id for (message_id,) in rows] != sorted(sent.ids[table]):
            found[f"segment.{table}"] = len(rows)
    return found


@forms(short=1, long=30, minutes=30, what="count")
def test_whenever_the_power_goes_the_next_load_has_everything_once(
    sent: Sent,
    shim_library: Path,
    dbt_target: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: Report,
    chance: random.Random,
    count: int,
) -> None:
    tables = TABLES if count > 1 else chance.sample(TABLES, 2)
    house = JournalledHouse(tmp_path, shim_library)
    models = [name for table in tables for name in (f"stg_segment__{table}", table)]
    house.run(house_settings(tmp_path / "house"), "-c", LOAD.replace("{models}", str(models)))

    assert house.unsynced() == []
    done = 0
    for folder in house.cuts(count, chance):
        settings = settings_of(folder, monkeypatch)

        assert ledger_faults(settings) == {}
        load(settings)
        Lake(settings, tmp_path, dbt_target).dbt("run", "--select", *models)
        assert faults(replace(sent, settings=settings), tables) == {}
        done += 1
    report.add("F04", "power cuts during a load and its models", cuts=done, lost_or_twice=0)


@pytest.mark.long
@pytest.mark.usefixtures("sent")
def test_without_the_sync_of_new_files_the_power_cut_test_would_fail(
    shim_library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = JournalledHouse(tmp_path, shim_library)
    house.run(house_settings(tmp_path / "house"), "-c", UNSYNCED)

    with pytest.raises(duckdb.Error, match="parquet"):
        ledger_faults(settings_of(house.cut_at_the_end(), monkeypatch))
