"""A warehouse that was lost is made again by a run that goes on, and has not failed."""

import shutil

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs.load_job import load_job
from orchestration.defs.raw_assets import RESTORED, raw_key
from tests.support import landed
from tests.support.house import House


@pytest.fixture
def house(built_house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """One whose environment leads there."""
    built_house.put_into(monkeypatch)
    return built_house


@pytest.mark.long
@pytest.mark.parametrize("is_for_all", [True, False])
def test_a_run_that_makes_a_lost_warehouse_again_succeeds_and_says_so(
    house: House, is_for_all: bool
) -> None:
    """What waited is loaded too, and a run that was for one table makes all models again."""
    house.land("track", landed.line({"event": "E"}, message_id=f"a-{is_for_all}"))
    house.load()
    house.models("track")
    relations = "select table_schema, table_name from information_schema.tables order by all"
    before, names = house.hashes(), house.rows(relations)
    shutil.rmtree(house.settings.catalog.parent)
    house.land("page", landed.line({"name": "P"}, message_id=f"p-{is_for_all}"))
    job = defs.resolve_job_def(load_job.name)

    with dg.instance_for_test() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=None if is_for_all else [raw_key("page")],
            resources={"run_process": None},
        )
        run = instance.get_run_by_id(result.run_id)

    assert result.success
    assert run is not None
    assert run.tags[RESTORED] == "1 files" if is_for_all else "3 files"
    after = house.hashes()
    assert after["segment.track"] == before["segment.track"]
    assert len(after["segment.page"]) == len(before["segment.page"]) + 1
    assert set(names) <= set(house.rows(relations))
    assert house.problems() == []
