"""When a user's models are run: after loads that bring them news, or by the clock."""

import time
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration import definitions as module
from orchestration.definitions import defs
from orchestration.defs import marts as definitions
from orchestration.defs import sensor
from orchestration.defs.dbt_assets import nodes
from orchestration.defs.load_job import load_job
from orchestration.defs.marts import NEWS, after_loads, marts, marts_job
from orchestration.models import back_off
from orchestration.models.back_off import FIRST_SECONDS
from orchestration.settings import Settings
from orchestration.warehouse import writer_lock
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseUnusableError
from tests.support.house import House

EXAMPLE = dg.AssetKey(["segment_marts", "daily_activity"])
TRACK = dg.AssetKey(["segment", "track"])


@pytest.fixture
def settings(own_house: House, prepared_house: Path) -> Settings:
    """Those of a house whose tables and views are there."""
    return own_house.move_in(prepared_house).settings


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def tick(instance: dg.DagsterInstance) -> set[dg.AssetKey]:
    """The models that a tick asks for."""
    context = dg.build_sensor_context(
        instance=instance, repository_def=defs.get_repository_def(), sensor_name=after_loads.name
    )
    result = after_loads(context)
    return set(result.asset_selection or []) if isinstance(result, dg.RunRequest) else set()


@pytest.mark.usefixtures("settings")
def test_a_catalog_that_cannot_be_reached_is_said_and_fails_no_tick(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Settings) -> None:
        raise WarehouseUnusableError("The catalog cannot be reached")

    monkeypatch.setattr(definitions, "catalog_of", away)
    context = dg.build_sensor_context(
        instance=instance, repository_def=defs.get_repository_def(), sensor_name=after_loads.name
    )

    result = after_loads(context)

    assert isinstance(result, dg.SkipReason)
    assert "cannot be reached" in str(result.skip_message)


def load(instance: dg.DagsterInstance) -> None:
    """A load that brought something."""
    instance.report_runless_asset_event(dg.AssetMaterialization(TRACK))


def run(instance: dg.DagsterInstance, *, code_version: str | None = None) -> None:
    """A run of the models of all that has come."""
    (spec,) = marts.specs
    news = definitions.newest_parents(instance, [EXAMPLE])[EXAMPLE]
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            EXAMPLE,
            metadata={NEWS: news},
            tags={"dagster/code_version": code_version or str(spec.code_version)},
        )
    )


@pytest.fixture
def as_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the example be a table."""
    monkeypatch.setitem(nodes()[EXAMPLE]["config"], "materialized", "table")


def test_dagster_finds_one_object_of_definitions_with_them_in_it() -> None:
    found = [one for one in vars(module).values() if isinstance(one, dg.Definitions)]

    assert found == [defs]


def test_they_are_a_group_a_job_and_a_sensor_of_their_own_and_in_no_load() -> None:
    repository = defs.get_repository_def()
    (spec,) = marts.specs

    assert {"load", "marts"} <= {job.name for job in repository.get_all_jobs()}
    assert set(repository.get_job(marts_job.name).asset_layer.selected_asset_keys) == {EXAMPLE}
    assert EXAMPLE not in repository.get_job(load_job.name).asset_layer.selected_asset_keys
    assert (spec.group_name, "dbt" in spec.kinds) == ("marts", True)
    assert TRACK in {dep.asset_key for dep in spec.deps}
    assert after_loads.default_status is dg.DefaultSensorStatus.RUNNING


@pytest.mark.usefixtures("settings", "as_table")
def test_a_table_is_run_once_after_each_load_that_brought_it_something(
    instance: dg.DagsterInstance,
) -> None:
    assert tick(instance) == set()  # the first load has enough to do
    for _ in range(2):
        load(instance)
        assert tick(instance) == {EXAMPLE}
        run(instance)
        assert tick(instance) == set()


@pytest.mark.usefixtures("settings", "as_table")
def test_what_came_while_a_table_was_computed_is_news(instance: dg.DagsterInstance) -> None:
    load(instance)
    news = definitions.newest_parents(instance, [EXAMPLE])[EXAMPLE]
    load(instance)
    (spec,) = marts.specs
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            EXAMPLE,
            metadata={NEWS: news},
            tags={"dagster/code_version": str(spec.code_version)},
        )
    )

    assert tick(instance) == {EXAMPLE}


def test_a_view_is_run_again_only_if_its_sql_is_another_or_it_is_gone(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    load(instance)
    assert tick(instance) == {EXAMPLE}
    run(instance)
    load(instance)
    assert tick(instance) == set()

    run(instance, code_version="another")
    assert tick(instance) == {EXAMPLE}

    run(instance)
    with writer_lock.writer_lock(settings), connect(settings) as con:
        con.execute("drop view segment_marts.daily_activity")
    assert tick(instance) == {EXAMPLE}


def test_one_that_failed_rests_and_is_tried_again(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(instance)
    with writer_lock.writer_lock(settings), connect(settings) as con:
        back_off.note(con, [], ["model.seamline.daily_activity"])
    assert tick(instance) == set()

    later = time.time() + FIRST_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert tick(instance) == {EXAMPLE}


def test_a_run_that_computes_is_alive_though_it_says_nothing_and_one_that_died_is_not(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(instance)

    @dg.job(name=marts_job.name)
    def job() -> None:
        """Of the marts' name."""

    on_its_way = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("started", on_its_way)
    later = time.time() + sensor.SILENT_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)

    with writer_lock.marts_lock(settings):
        assert tick(instance) == set()
    assert tick(instance) == {EXAMPLE}


def test_one_with_a_cron_of_its_own_goes_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    meta = {"dagster": {"cron_schedule": "0 3 * * 1-5"}}
    monkeypatch.setitem(nodes()[EXAMPLE]["config"], "meta", meta)

    ((cron, keys),) = definitions.by_cron().items()
    schedule: Any = definitions.schedule_of(cron, keys)

    assert schedule.name == "marts_at_0_3_x_x_1_to_5"
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    (request,) = schedule.evaluate_tick(dg.build_schedule_context()).run_requests
    assert request.asset_selection == [EXAMPLE]


@pytest.mark.usefixtures("settings")
def test_one_that_goes_by_the_clock_is_not_run_after_loads(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(definitions, "TIMED", {EXAMPLE})
    load(instance)

    assert tick(instance) == set()


def test_a_cron_that_is_none_takes_no_definitions_with_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert definitions.schedule_of("every morning", [EXAMPLE]) is None
    assert "every morning" in caplog.text
