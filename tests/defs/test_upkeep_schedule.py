"""Upkeep comes every hour by itself, beside the loads and never as part of one."""

import time
from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs import sensor
from orchestration.defs.load_job import load_job
from orchestration.defs.upkeep_assets import every_hour, upkeep_assets, upkeep_job
from orchestration.prepare import prepare_dagster_home
from orchestration.settings import Settings
from orchestration.warehouse.connection import create_warehouse

KEYS = {asset.key for asset in upkeep_assets}


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Of a house of the test's own."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def _tick(instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    result = every_hour(dg.build_schedule_context(instance=instance))
    assert isinstance(result, dg.RunRequest | dg.SkipReason)
    return result


def _started_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    job = defs.get_repository_def().get_job(upkeep_job.name)
    run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("started", run)
    return run


def test_it_is_running_without_anybody_switching_it_on() -> None:
    assert every_hour.default_status is dg.DefaultScheduleStatus.RUNNING


def test_a_load_does_no_upkeep() -> None:
    job = defs.get_repository_def().get_job(load_job.name)

    assert not KEYS & set(job.asset_layer.executable_asset_keys)


def test_a_tick_asks_for_a_run_unless_one_is_on_its_way(instance: dg.DagsterInstance) -> None:
    assert isinstance(_tick(instance), dg.RunRequest)
    run = _started_run(instance)

    result = _tick(instance)

    assert isinstance(result, dg.SkipReason)
    assert run.run_id in str(result.skip_message)


@pytest.mark.long
def test_a_run_that_died_does_not_end_upkeep_for_ever(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = _started_run(instance)
    later = time.time() + sensor.SILENT_SECONDS + 1
    monkeypatch.setattr(time, "time", lambda: later)

    assert isinstance(_tick(instance), dg.RunRequest)
    assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.FAILURE


@pytest.mark.long
def test_a_run_says_what_it_did(settings: Settings, instance: dg.DagsterInstance) -> None:
    create_warehouse(settings)
    job = defs.get_repository_def().get_job(upkeep_job.name)

    result = job.execute_in_process(instance=instance)

    said = {
        event.asset_key.path[-1]: set(event.materialization.metadata)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }
    assert {key.path[-1] for key in KEYS} == set(said)
    assert {"files_before", "files_after", "longest_lock_seconds"} <= said["parquet_files"]
    assert {"snapshots_before", "snapshots_after", "files_removed"} <= said["snapshots"]
    assert "runs" in said["dagster_storage"]
