"""Old runs go with all that belongs to them; what is young or still running stays."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from orchestration.dagster_database import INDEX, RUNS, SCHEDULES, WITHOUT_RUN, opened
from orchestration.prepare import prepare_dagster_home
from orchestration.settings import Settings
from orchestration.upkeep.dagster_storage import purge
from tests.support import postgres

LONG_AGO = "2026-01-01 00:00:00.000000"


@dg.asset
def number(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Something to materialize."""
    print("to the log")  # noqa: T201
    if context.run.tags.get("fails"):
        raise dg.Failure("as it was asked to")
    return dg.MaterializeResult(metadata={"value": 1})


JOB = dg.Definitions(
    assets=[number], jobs=[dg.define_asset_job("job")], executor=dg.in_process_executor
).resolve_job_def("job")


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DAGSTER_HOME as it is made once, with Dagster's databases in it, empty."""
    home = tmp_path_factory.mktemp("made") / "dagster"
    prepare_dagster_home(Settings(dagster_home=home))
    return home


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With Dagster's storage in PostgreSQL, where these tests run on it."""
    return settings.model_copy(update=postgres.dagster_storage(monkeypatch))


@pytest.fixture
def instance(settings: Settings, dagster_home: Path) -> Iterator[dg.DagsterInstance]:
    if settings.dagster_storage is None:
        shutil.copytree(dagster_home, settings.dagster_home, symlinks=True)
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def _run(instance: dg.DagsterInstance, **tags: str) -> str:
    return JOB.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def _make_old(settings: Settings, *run_ids: str) -> None:
    with opened(settings, RUNS) as execute:
        for run_id in run_ids:
            execute("update runs set update_timestamp = $1 where run_id = $2", [LONG_AGO, run_id])


def _databases(settings: Settings) -> tuple[str, ...]:
    """Those that all runs share."""
    return (RUNS,) if settings.dagster_storage else (RUNS, INDEX, SCHEDULES)


def _tables(settings: Settings) -> str:
    if settings.dagster_storage:
        return "select tablename from pg_tables where schemaname = current_schema()"
    return "select name from sqlite_master where type = 'table'"


def _traces(settings: Settings, run_id: str) -> list[str]:
    """Wherever the run is named: paths, and rows of every table of the shared databases."""
    home = settings.dagster_home
    found = [str(path.relative_to(home)) for path in home.rglob("*") if run_id in path.name]
    for name in _databases(settings):
        with opened(settings, name) as execute:
            for (table,) in execute(_tables(settings)):
                rows = execute(f'select * from "{table}"')
                # an asset remembers its last materialization for the user interface
                if table != "asset_keys" and any(run_id in str(row) for row in rows):
                    found.append(f"{name}: {table}")
    return found


def test_an_old_run_leaves_nothing_behind(settings: Settings, instance: dg.DagsterInstance) -> None:
    old, young = _run(instance, color="red"), _run(instance)
    assert len(_traces(settings, old)) >= 4
    before = _traces(settings, young)
    _make_old(settings, old)

    assert purge(instance, settings).runs == 1

    assert _traces(settings, old) == []
    assert _traces(settings, young) == before


def test_a_failed_run_stays_longer(settings: Settings, instance: dg.DagsterInstance) -> None:
    failed = _run(instance, fails="yes")
    _make_old(settings, failed)

    assert purge(instance, settings.model_copy(update={"failed_run_days": 10_000})).runs == 0
    assert instance.has_run(failed)
    assert purge(instance, settings).runs == 1


def test_a_run_on_its_way_stays_however_old(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(JOB, status=dg.DagsterRunStatus.STARTED)
    _make_old(settings, run.run_id)

    purge(instance, settings)

    assert instance.has_run(run.run_id)


def test_what_dagster_left_of_a_run_that_it_deleted_goes(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_id = _run(instance)
    instance.delete_run(run_id)
    assert _traces(settings, run_id)

    assert purge(instance, settings).files >= 1

    assert _traces(settings, run_id) == []


def test_the_files_of_a_run_that_begins_meanwhile_stay(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    get_run_ids = instance.get_run_ids

    def run_ids() -> list[str]:
        found = list(get_run_ids())
        begun.append(_run(instance))
        return found

    monkeypatch.setattr(instance, "get_run_ids", run_ids)

    purge(instance, settings)

    traces = _traces(settings, begun[0])
    assert any(begun[0] in trace for trace in traces)
    assert settings.dagster_storage or f"history/runs/{begun[0]}.db" in traces


def test_a_purge_that_was_interrupted_is_finished_by_the_next(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _run(instance)
    _make_old(settings, old)
    with monkeypatch.context() as broken:
        broken.setattr(instance.run_storage, "delete_run", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            purge(instance, settings)
    assert instance.has_run(old)

    purge(instance, settings)

    assert _traces(settings, old) == []


def _interrupted(_: str) -> None:
    raise KeyboardInterrupt


def test_dagster_removes_its_ticks_itself(instance: dg.DagsterInstance) -> None:
    schedules = instance.get_tick_retention_settings(InstigatorType.SCHEDULE)
    sensors = instance.get_tick_retention_settings(InstigatorType.SENSOR)

    assert schedules == dict.fromkeys(TickStatus, 30)
    assert sensors == {**schedules, TickStatus.SKIPPED: 1}


def test_of_checks_without_a_run_the_young_stay_and_the_last_of_each(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    def report(check: str, number: int) -> None:
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=number_key, check_name=check, passed=True, metadata={"n": number}
            )
        )

    def found(check: str) -> list[object]:
        key = dg.AssetCheckKey(number_key, check)
        executions = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
        events = [one.event.dagster_event for one in executions if one.event]
        return [one.asset_check_evaluation_data.metadata["n"].value for one in events if one]

    number_key = dg.AssetKey("number")
    for number in range(3):
        report("seldom", number)
        report("often", number)
    instance.report_runless_asset_event(dg.AssetMaterialization(number_key))
    shared = (INDEX,) if settings.dagster_storage else (INDEX, WITHOUT_RUN)
    for name in shared:
        with opened(settings, name) as execute:
            execute("update event_logs set timestamp = $1", [LONG_AGO])
            execute("update asset_check_executions set evaluation_event_timestamp = $1", [LONG_AGO])
    report("often", 3)
    report("often", 4)

    purge(instance, settings)

    assert found("seldom") == [2]
    assert found("often") == [4, 3]
    count = "select dagster_event_type, count(*) from event_logs group by 1 order by 1"
    kept = {}
    for name in shared:
        with opened(settings, name) as execute:
            kept[name] = execute(count)
    assert kept.pop(INDEX) == [("ASSET_CHECK_EVALUATION", 3), ("ASSET_MATERIALIZATION", 1)]
    for rows in kept.values():
        assert rows == [("ASSET_CHECK_EVALUATION", 2), ("ASSET_MATERIALIZATION", 1)]
