"""One run loads what comes while it stays; it gives way, is replaced when killed, and ends."""

from collections.abc import Iterator

import dagster as dg
import pytest

from orchestration.defs.completeness_result import ACCOUNTED_FOR
from orchestration.defs.sensor import DID_ITS_WORK, LOAD
from orchestration.models.back_off import FIRST_SECONDS
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.processes import eventually
from tests.support.stack.running_dagster import PATIENCE, LoadingHouse

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadingHouse]:
    """One house for all, whose runs wait for as long as a busy machine may need between two."""
    house = LoadingHouse(tmp_path_factory.mktemp("staying"))
    house.environment["SEAMLINE_QUIET_SECONDS"] = "20"
    house.sent.land(6)
    house.start()
    yield house
    house.end()


def load_runs(house: LoadingHouse) -> list[dg.DagsterRun]:
    """The load's runs, the newest first."""
    with house.instance() as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name=LOAD)))


def staying(house: LoadingHouse) -> dg.DagsterRun:
    """The newest run, once it has done its work and goes on."""

    def found() -> bool:
        runs = load_runs(house)
        return bool(runs) and DID_ITS_WORK in runs[0].tags

    assert eventually(found, PATIENCE), house.tail()
    return load_runs(house)[0]


def new_rows(house: LoadingHouse, run: dg.DagsterRun, table: str) -> list[int]:
    """What a run says of a raw table: the new rows of each of its materializations."""
    with house.instance() as instance:
        logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    said = [
        entry.dagster_event.step_materialization_data.materialization
        for entry in logs
        if entry.dagster_event
    ]
    return [
        int(str(one.metadata["new_rows"].value))
        for one in said
        if one.asset_key == dg.AssetKey(["raw", table])
    ]


def checks(house: LoadingHouse, run: dg.DagsterRun) -> list[bool]:
    """What a run's checks of completeness came to."""
    with house.instance() as instance:
        logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [
        entry.dagster_event.asset_check_evaluation_data for entry in logs if entry.dagster_event
    ]
    return [one.passed for one in found if one.asset_check_key == ACCOUNTED_FOR]


def test_one_run_makes_several_passes_and_says_so_of_each(house: LoadingHouse) -> None:
    house.catch_up(PATIENCE)
    run = staying(house)
    first = len(new_rows(house, run, "track"))
    for number in range(1, 4):
        house.sent.land(6, calls=("track",))
        house.catch_up(PATIENCE)
        # its events follow the commit
        assert eventually(lambda n=number: len(checks(house, run)) == 1 + n, PATIENCE)

    assert load_runs(house)[0].run_id == run.run_id
    assert len(new_rows(house, run, "track")) == first + 3
    assert sum(new_rows(house, run, "track")) == len(house.sent.ids["track"])
    assert all(checks(house, run))


def test_who_waits_for_the_writers_lock_has_it_between_two_passes(house: LoadingHouse) -> None:
    """The run goes on behind it, with what was landed meanwhile."""
    house.sent.land(6)
    house.catch_up(PATIENCE)
    run = staying(house)
    with writer_lock(house.settings):
        house.sent.land(6)
        with house.instance() as instance:
            assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.STARTED

    house.catch_up(PATIENCE)
    assert load_runs(house)[0].run_id == run.run_id


def test_a_killed_run_is_replaced_at_once_and_nothing_is_lost_or_doubled(
    house: LoadingHouse,
) -> None:
    house.sent.land(6)
    house.catch_up(PATIENCE)
    run = staying(house)
    house.sent.land(6)
    house.kill_run(run.run_id)
    house.sent.land(6)

    house.catch_up(PATIENCE)

    _is_replaced(house, run, dg.DagsterRunStatus.FAILURE)


def test_so_is_one_that_somebody_has_cancelled(house: LoadingHouse) -> None:
    house.sent.land(6)
    house.catch_up(PATIENCE)
    run = staying(house)
    house.cancel(run.run_id)
    house.sent.land(6)

    house.catch_up(PATIENCE)

    _is_replaced(house, run, dg.DagsterRunStatus.CANCELED)


def _is_replaced(house: LoadingHouse, run: dg.DagsterRun, status: dg.DagsterRunStatus) -> None:
    with house.instance() as instance:
        newest = instance.get_run_records(dg.RunsFilter(job_name=LOAD), limit=1)[0]
        ended = instance.get_run_record_by_id(run.run_id)
    assert ended is not None
    assert ended.dagster_run.status is status
    assert newest.dagster_run.run_id != run.run_id
    assert ended.end_time is not None
    assert newest.create_timestamp.timestamp() - ended.end_time < FIRST_SECONDS  # it did not rest


def test_a_run_for_which_nothing_comes_any_more_ends_well(house: LoadingHouse) -> None:
    house.sent.land(6)
    house.catch_up(PATIENCE)
    run = staying(house)

    house.all_runs_end(PATIENCE)

    with house.instance() as instance:
        assert instance.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.SUCCESS
    assert not any((house.settings.dagster_home / "running").iterdir())
