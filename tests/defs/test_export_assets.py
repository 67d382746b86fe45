"""Exported tables as assets: there if something is exported, brought up to date every hour."""

from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.export_assets import definitions
from orchestration.export import parquet
from orchestration.export.changes import Exported
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House


@pytest.fixture
def exporting(
    own_house: House, prepared_house: Path, monkeypatch: pytest.MonkeyPatch
) -> dg.Definitions:
    """What Dagster sees of a house that exports."""
    own_house.move_in(prepared_house)
    monkeypatch.setenv("SEAMLINE_EXPORT_PARQUET", str(own_house.folder / "exports"))
    resources = dg.Definitions(resources={"run_process": None})
    return dg.Definitions.merge(definitions(Settings()), resources)


def test_without_a_place_there_is_nothing(settings: Settings) -> None:
    found = definitions(settings)
    assert not found.assets
    assert not found.schedules


def test_an_asset_says_what_was_written(exporting: dg.Definitions, own_house: House) -> None:
    own_house.land("page", landed.line({"name": "P"}, message_id="a"))
    own_house.load()
    own_house.models("page")
    job = exporting.resolve_job_def("export")

    with dg.instance_for_test() as instance:
        result = job.execute_in_process(instance=instance)

    assert result.success
    events = [
        event.step_materialization_data for event in result.get_asset_materialization_events()
    ]
    said = {
        one.materialization.asset_key.to_user_string(): one.materialization.metadata
        for one in events
    }
    assert said.keys() == {
        f"parquet/{call}" for call in ("alias", "group", "identify", "page", "screen", "track")
    }
    assert said["parquet/page"]["rows_written"].value == 1
    assert said["parquet/track"]["dagster/row_count"].value == 0
    assert list((own_house.folder / "exports" / "page").glob("received_date=*/rows.parquet"))


def test_what_was_left_out_is_said_and_the_run_fails_behind_all_tables(
    exporting: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = Exported(left_out=["2026-11-20T10:00:00"], problems=["An hour is left out."])
    monkeypatch.setattr(parquet, "export", lambda *_: done)
    job = exporting.resolve_job_def("export")

    with dg.instance_for_test() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    said = result.get_asset_materialization_events()
    assert len(said) == 6
    assert all(
        one.step_materialization_data.materialization.metadata["parts_left_out"].value == 1
        for one in said
    )
    (failure,) = result.get_step_failure_events()
    assert "An hour is left out." in str(failure.event_specific_data)


def test_it_is_asked_for_every_hour_unless_it_is_on_its_way(exporting: dg.Definitions) -> None:
    schedule = exporting.resolve_schedule_def("export_hourly")
    job = exporting.resolve_job_def("export")

    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(instance=instance)
        assert len(schedule.evaluate_tick(context).run_requests or ()) == 1
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "still exporting" in str(schedule.evaluate_tick(context).skip_message)

    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
