"""What somebody should look at is a check in Dagster, and stops nothing."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from landed import not_stored
from orchestration.audit.checks import CHECKS
from orchestration.definitions import defs
from orchestration.defs.landing_assets import LANDING, SOURCES
from orchestration.defs.load_job import load_job
from orchestration.defs.raw_assets import raw_tables
from orchestration.defs.watch_checks import WATCHED, evaluate, watch_checks, watch_job
from tests.support import landed
from tests.support.house import House

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)


@pytest.fixture
def house(own_house: House, raw_house: Path) -> House:
    """A house with empty raw tables, of which a source was turned away."""
    own_house.move_in(raw_house)
    own_house.landing.mkdir()
    not_stored.add(own_house.landing, datetime.now(UTC), {"web": {"throttled": 7}})
    return own_house


def test_each_check_is_one_on_an_asset_that_is_there() -> None:
    graph = defs.resolve_asset_graph()

    assert {key.name for key in WATCHED} == {check.name for check in CHECKS}
    assert {key.asset_key for key in WATCHED} <= graph.get_all_asset_keys()


def test_the_road_begins_with_who_sends() -> None:
    graph = defs.resolve_asset_graph()

    assert graph.get(LANDING).parent_keys == {SOURCES}
    assert all(graph.get(key).parent_keys == {LANDING} for key in raw_tables.keys)
    assert not graph.get(LANDING).is_materializable


def materialized(result: dg.ExecuteInProcessResult) -> set[dg.AssetKey | None]:
    return {event.asset_key for event in result.get_asset_materialization_events()}


def test_what_is_wrong_is_a_warning_that_says_what_to_do(house: House) -> None:
    results = {one.check_name: one for one in evaluate(house.settings, datetime.now(UTC))}

    assert results.keys() == {check.name for check in CHECKS}
    failed = results["quotas_are_kept"]
    assert not failed.passed
    assert failed.severity == dg.AssetCheckSeverity.WARN
    assert "429" in (failed.description or "")
    assert failed.metadata["web_throttled"].value == 7


def test_a_run_of_them_succeeds_whatever_they_find(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put_into(monkeypatch)

    with dg.instance_for_test() as instance:
        result = defs.resolve_job_def(watch_job.name).execute_in_process(instance=instance)

    assert result.success
    by_name = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert by_name["quotas_are_kept"] is False
    assert by_name["files_wait"] is True
    assert LANDING in materialized(result)


@pytest.mark.long
def test_landing_is_not_fresh_while_a_file_has_waited_for_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.put_into(monkeypatch)
    waiting = house.land("track", landed.line({"event": "E"}, message_id="a"))
    os.utime(waiting, (0, 0))

    with dg.instance_for_test() as instance:
        result = defs.resolve_job_def(watch_job.name).execute_in_process(instance=instance)

    assert result.success
    assert LANDING not in materialized(result)


def test_one_alone_can_be_made(house: House) -> None:
    key = next(key for key in WATCHED if key.name == "files_wait")

    assert [one.check_name for one in evaluate(house.settings, NOW, [key])] == ["files_wait"]


def test_before_the_first_load_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(evaluate(House(tmp_path).settings, NOW)) == []


def test_no_load_waits_for_them() -> None:
    load = defs.resolve_job_def(load_job.name)

    assert not load.asset_layer.asset_graph.asset_check_keys & set(WATCHED)
    assert watch_checks.check_keys == set(WATCHED)
