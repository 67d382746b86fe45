"""Behind loads the cheap checks are made, and what they find or meet stops nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import MagicMock

import dagster as dg
import duckdb
import pytest

from landed import not_stored
from orchestration.audit.checks import CHECKS
from orchestration.defs import behind_loads
from orchestration.defs.behind_loads import LOOK_SECONDS, BehindLoads
from orchestration.defs.report_assets import LOADS, reports
from orchestration.defs.staying import Event, more_passes, with_checks_reported
from orchestration.defs.watch_checks import WATCHED
from orchestration.settings import Settings
from orchestration.warehouse.errors import WarehouseMissingError
from tests.defs.test_patience import Clock


@pytest.fixture
def house(made_warehouse: Settings) -> Settings:
    """Empty raw tables, and a source that was turned away."""
    made_warehouse.landing.mkdir()
    not_stored.add(made_warehouse.landing, datetime.now(UTC), {"web": {"throttled": 7}})
    return made_warehouse


def test_they_are_made_once_a_minute_at_most_and_only_if_something_came(house: Settings) -> None:
    clock = Clock()
    behind = BehindLoads(MagicMock(), house, clock)

    assert list(behind.look_if_due()) == []
    clock.now += LOOK_SECONDS
    assert len(list(behind.look_if_due())) == 1
    clock.now += LOOK_SECONDS
    assert list(behind.look_if_due()) == []  # nothing has come
    behind.has_come()
    assert len(list(behind.look_if_due())) == 1
    behind.has_come()
    assert list(behind.look_if_due()) == []


def test_at_the_end_of_a_run_they_are_made_whatever_the_clock_says(house: Settings) -> None:
    behind = BehindLoads(MagicMock(), house, Clock())

    (result,) = behind.look_at_the_end()

    assert result.asset_key == LOADS
    found = {one.check_name: one for one in result.check_results or ()}
    assert found.keys() == {check.name for check in CHECKS}
    assert not found["quotas_are_kept"].passed
    assert list(behind.look_at_the_end()) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (duckdb.IOException("no such file"), "no such file"),
        (PermissionError("not yours"), "not yours"),
        (WarehouseMissingError("no warehouse"), "no warehouse"),
        (ValueError("ann@example.com"), "ValueError in breaks, line"),
        (KeyError("ann@example.com"), "KeyError in breaks, line"),
    ],
)
def test_whatever_the_checks_meet_no_load_fails(
    house: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def breaks(*_: object) -> None:
        raise error

    monkeypatch.setattr(behind_loads, "evaluate", breaks)
    context = MagicMock()

    assert list(BehindLoads(context, house, Clock()).look_at_the_end()) == []
    ((text, why),) = [call.args for call in context.log.warning.call_args_list]
    assert said in text % why
    assert "ann@" not in text % why


@pytest.mark.long
def test_a_run_by_hand_makes_them_too(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.defs import completeness_asset  # noqa: PLC0415
    from orchestration.defs.run_process import run_process  # noqa: PLC0415

    monkeypatch.setattr(completeness_asset, "Settings", lambda: house)
    with dg.instance_for_test() as instance:
        result = dg.materialize(
            [completeness_asset.completeness],
            instance=instance,
            resources={"run_process": run_process},
        )

    assert result.success  # whatever they find
    made = {one.check_name for one in result.get_asset_check_evaluations()}
    assert {key.name for key in WATCHED} <= made


@pytest.mark.long
def test_what_a_run_that_stays_finds_is_shown_until_the_check_is_made_again() -> None:
    key = WATCHED[0]

    def found(*, passed: bool) -> list[dg.MaterializeResult[None]]:
        check = dg.AssetCheckResult(
            passed=passed, asset_key=key.asset_key, check_name=key.name, metadata={"n": 1}
        )
        return [dg.MaterializeResult(check_results=[check])]

    def shown() -> str:
        storage = instance.event_log_storage
        return storage.get_latest_asset_check_execution_by_key([key])[key].status.value

    @dg.asset_check(asset=key.asset_key, name=key.name)
    def by_the_clock() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    checks = dg.AssetSelection.checks(by_the_clock)
    watch = dg.Definitions(
        asset_checks=[by_the_clock], jobs=[dg.define_asset_job("watch", checks)]
    ).resolve_job_def("watch")
    seen = []

    @dg.asset
    def stays(context: dg.AssetExecutionContext) -> Iterator[Event | dg.MaterializeResult[None]]:
        for _ in range(2):
            yield from with_checks_reported(context, found(passed=False))
            seen.append(shown())
            assert watch.execute_in_process(instance=instance).success
            seen.append(shown())
        yield dg.MaterializeResult()

    with dg.instance_for_test() as instance:
        assert dg.materialize([stays], instance=instance).success

    assert seen == ["FAILED", "SUCCEEDED"] * 2


@pytest.mark.long
def test_a_run_that_stays_reports_all_of_them_at_its_end(
    house: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.DagsterInstance, "add_run_tags", lambda *_: None)
    context = MagicMock()
    context.run.asset_selection = None
    with dg.instance_for_test() as instance:
        context.instance = instance
        events = list(more_passes(context, house.model_copy(update={"quiet_seconds": 0.0})))
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key(WATCHED)

    assert [type(event) for event in events] == [dg.AssetMaterialization]
    assert found.keys() == set(WATCHED)
    said = [call.args for call in context.log.warning.call_args_list]
    assert "quotas_are_kept" in [name for _, name, _ in said]


@pytest.mark.usefixtures("house")
def test_the_reports_say_what_there_is_though_no_view_is_there_yet() -> None:
    with dg.instance_for_test() as instance:
        result = dg.materialize([reports], instance=instance)

    said = {
        event.asset_key.path[-1]: event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert said["loads"] == {}
    assert said["delivery"]["throttled_requests"].value == 7
    assert "`web`" in str(said["delivery"]["today"].value)
