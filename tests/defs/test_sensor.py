"""When a run is asked for, and when not."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs import run_process, sensor
from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.load_job import load_job
from orchestration.defs.sensor import sealed_files
from orchestration.loading.load import load
from orchestration.models import back_off, pending_models
from orchestration.models.back_off import FIRST_SECONDS
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, glance
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.warehouse import rows


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


def _written(settings: Settings, seconds: float) -> None:
    """As if the last write had been, or were to be, at a time from now on."""
    for path in settings.catalog.parent.glob("catalog.sqlite*"):
        os.utime(path, (time.time() + seconds,) * 2)


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
        "segment/conflict",
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


def test_a_run_whose_process_was_killed_is_failed_at_once(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _land(settings)
    run = _started_run(instance)
    (settings.dagster_home / run_process.RUNNING).mkdir(parents=True)
    (settings.dagster_home / run_process.RUNNING / run.run_id).touch()  # and nobody holds it

    assert isinstance(tick(instance), dg.SkipReason)  # it had not done its work: it rests

    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE
    assert run_process.is_alive(settings, run.run_id) is None


def test_a_run_that_waits_for_news_is_left_alone_however_silent_it_is(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    _land(settings)
    run = _started_run(instance)
    later = time.time() + 10 * sensor.SILENT_SECONDS
    monkeypatch.setattr(time, "time", lambda: later)

    with run_process.signed(settings, run.run_id):
        assert isinstance(tick(instance), dg.SkipReason)

    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED


def test_a_run_that_was_killed_while_it_waited_for_news_is_replaced_at_once(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _land(settings)
    run = _started_run(instance)
    instance.add_run_tags(run.run_id, {sensor.DID_ITS_WORK: "true"})
    (settings.dagster_home / run_process.RUNNING).mkdir(parents=True)
    (settings.dagster_home / run_process.RUNNING / run.run_id).touch()

    assert "raw/track" in wanted(tick(instance))


def test_what_the_sensor_asks_for_is_a_run_that_stays(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    _land(settings)

    result = tick(instance)

    assert isinstance(result, dg.SensorResult)
    assert [request.tags for request in result.run_requests or []] == [{sensor.STAYS: "true"}]


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


def test_as_long_as_nobody_writes_a_tick_does_not_open_the_warehouse(
    made_warehouse: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def counted(settings: Settings) -> object:
        opened.append(settings)
        return glance(settings)

    monkeypatch.setattr(pending_models, "glance", counted)
    _written(made_warehouse, -3600)
    for _ in range(3):
        assert isinstance(tick(instance), dg.SkipReason)
    assert len(opened) == 1

    _land(made_warehouse)
    load(made_warehouse)
    assert "segment/track" in wanted(tick(instance))


def test_what_was_seen_within_a_second_of_a_write_is_looked_at_again(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    """The clock of a disk may not tell two writes apart that are so close."""
    catalog = made_warehouse.catalog
    _written(made_warehouse, 3600)
    written = catalog.stat()
    tick(instance)

    _land(made_warehouse)
    load(made_warehouse)
    os.utime(catalog, ns=(written.st_atime_ns, written.st_mtime_ns))

    assert "segment/track" in wanted(tick(instance))


def test_a_tick_does_not_wait_for_a_writer(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    _land(made_warehouse, "page")
    load(made_warehouse)
    _land(made_warehouse, "track")

    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("begin")
        con.execute("insert into raw.repair by name select 'half done' as what")
        asked = wanted(tick(instance))
        con.execute("rollback")

    assert {"segment/page", "segment/track"} <= asked


def test_what_waits_is_asked_for_though_the_catalog_is_damaged_and_else_the_tick_says_so(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    made_warehouse.catalog.write_bytes(b"no catalog" * 1000)

    said = tick(instance)
    assert isinstance(said, dg.SkipReason)
    assert "cannot be opened" in str(said.skip_message)

    _land(made_warehouse)
    assert "raw/track" in wanted(tick(instance))


@pytest.mark.long
def test_marks_beside_the_catalog_that_an_earlier_version_has_left_are_not_needed(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    """What it had loaded and not modelled, the warehouse says as well."""
    _land(made_warehouse)
    load(made_warehouse)
    marks = made_warehouse.catalog.parent / "models_behind"
    marks.mkdir()
    for call in ("page", "track"):
        (marks / call).write_text("1\n")

    asked = wanted(tick(instance))

    assert "segment/track" in asked
    assert "segment/page" not in asked


@pytest.mark.any_one
@pytest.mark.parametrize("call", ["rejected", "delete"])
def test_lines_that_no_model_waits_for_are_counted_though_their_process_died(
    made_warehouse: Settings, instance: dg.DagsterInstance, call: str
) -> None:
    lines = {
        "rejected": landed.rejected_line(b"{"),
        "delete": landed.line({"messageId": "m", "type": "delete", "userId": "u"}),
    }
    landed.land(made_warehouse.landing, call, lines[call])
    load(made_warehouse)  # and died

    assert wanted(tick(instance)) == {"segment/completeness"}
    result = defs.resolve_job_def(load_job.name).execute_in_process(
        instance=instance, asset_selection=[COMPLETENESS]
    )

    assert result.success
    assert rows(made_warehouse, "select sum(received) from raw.completeness") == [(1,)]
    assert isinstance(tick(instance), dg.SkipReason)


def test_what_comes_to_nothing_is_not_asked_for_as_it_has_no_count(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    landed.land(made_warehouse.landing, "rejected", landed.rejected_line(b"{"))
    load(made_warehouse)
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("delete from raw.rejected")  # tried again, and an event since
        con.execute(
            "insert into raw.landed_count select * replace (-lines as lines) from raw.landed_count"
        )

    assert isinstance(tick(instance), dg.SkipReason)


def test_a_model_that_rests_is_not_waited_for_by_a_run_after_the_other(
    made_warehouse: Settings, instance: dg.DagsterInstance
) -> None:
    _land(made_warehouse)
    load(made_warehouse)
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        back_off.note(con, set(), {"track"})

    assert isinstance(tick(instance), dg.SkipReason)
