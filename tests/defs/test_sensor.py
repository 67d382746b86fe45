"""When a run is asked for, and when not."""

import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs import sensor
from orchestration.defs.load_job import load_job
from orchestration.defs.sensor import sealed_files
from orchestration.models.back_off import FIRST_SECONDS
from orchestration.settings import Settings
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed


def tick(instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance, repository_def=defs.get_repository_def(), sensor_name=sealed_files.name
    )
    result = sealed_files(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def wanted(result: dg.SensorResult | dg.SkipReason) -> set[str]:
    assert isinstance(result, dg.SensorResult)
    (request,) = result.run_requests or []
    assert request.run_key is None
    return {key.to_user_string() for key in request.asset_selection or []}


@dg.job(name=load_job.name)
def _empty_job() -> None:
    """Of the load's name, by which the sensor goes; a run of the load takes 0.2 s to make."""


def _started_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    run = instance.create_run_for_job(_empty_job, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("started", run)
    return run


@pytest.fixture(autouse=True)
def _house(settings: Settings) -> None:
    """Every test has a house of its own."""


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def _land(settings: Settings, call: str = "track") -> Path:
    return landed.land(settings.landing, call, landed.line({"messageId": "m"}))


def test_it_is_running_without_anybody_switching_it_on() -> None:
    assert sealed_files.default_status is dg.DefaultSensorStatus.RUNNING


def test_nothing_sealed_is_a_skip_that_says_so(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    (settings.landing / "track").mkdir(parents=True)
    (settings.landing / "track" / "being-written.ndjson.open").touch()

    result = tick(instance)

    assert isinstance(result, dg.SkipReason)
    assert str(settings.landing) in str(result.skip_message)


def test_one_run_is_asked_for_all_tables_with_news_and_their_models(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _land(settings, "track")
    _land(settings, "page")

    assert wanted(tick(instance)) == {
        "raw/page",
        "raw/track",
        "raw/rejected",
        "segment_staging/stg_segment__page",
        "segment_staging/stg_segment__track",
        "segment/page",
        "segment/track",
        "segment/_sdc_rejected",
        "segment/child_table",
        "segment/completeness",
        "segment_warehouse/pages",
        "segment_warehouse/tracks",
        "segment_warehouse/event_relation",
    }


def test_a_run_on_its_way_is_not_asked_for_again(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _land(settings)
    run = _started_run(instance)

    result = tick(instance)

    assert isinstance(result, dg.SkipReason)
    assert run.run_id in str(result.skip_message)


def test_a_failed_run_is_followed_by_one_over_everything_after_a_pause(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when nothing new is sealed: what it loaded may not be in the models yet."""
    instance.report_run_failed(_started_run(instance))

    assert isinstance(tick(instance), dg.SkipReason)

    later = time.time() + FIRST_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)
    result = tick(instance)

    assert isinstance(result, dg.SensorResult)
    assert [request.asset_selection for request in result.run_requests or []] == [None]


def test_a_run_whose_process_died_is_failed_after_a_minute(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(settings)
    run = _started_run(instance)
    later = time.time() + sensor.SILENT_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)

    tick(instance)

    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


def test_a_silent_run_that_is_still_writing_is_left_alone(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(settings)
    run = _started_run(instance)
    later = time.time() + 10 * sensor.SILENT_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)

    with writer_lock(settings):
        result = tick(instance)

    assert isinstance(result, dg.SkipReason)
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED
