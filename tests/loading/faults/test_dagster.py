"""F25, F26, F27: Dagster killed, stopped for days, or without its memory: all is loaded, once."""

import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from dagster._core.scheduler.instigation import (
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

from orchestration.defs.sensor import SILENT_SECONDS, sealed_files
from tests.support.faults.killed_loads import sleep_at_random
from tests.support.faults.report import Report
from tests.support.stack.running_dagster import PATIENCE, LoadingHouse

pytestmark = pytest.mark.timeout(900)

VICTIMS = ("daemon", "code server", "run worker")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadingHouse]:
    """One house for all faults: what one leaves behind the next has to live with."""
    house = LoadingHouse(tmp_path_factory.mktemp("loading"))
    house.sent.land(6)
    house.start()
    yield house
    house.end()


@pytest.mark.long
def test_after_the_kill_of_the_daemon_the_next_one_loads_everything_once(
    house: LoadingHouse, report: Report
) -> None:
    house.keep_running()
    house.wait_for("run worker", PATIENCE)
    house.kill("daemon")
    house.sent.land(6)
    house.keep_running()

    seconds = house.catch_up(PATIENCE)

    report.add("F25", "kill -9 of the daemon during a run", caught_up_after=f"{seconds:.0f} s")


@pytest.mark.long
def test_after_dagsters_storage_is_deleted_the_next_start_loads_what_the_ledger_lacks(
    house: LoadingHouse, report: Report
) -> None:
    house.keep_running()
    house.catch_up(PATIENCE)
    house.end()
    house.forget()
    house.sent.land(6)
    house.keep_running()

    seconds = house.catch_up(PATIENCE)

    report.add(
        "F27", "Dagster's storage deleted", loaded_twice=0, caught_up_after=f"{seconds:.0f} s"
    )


@pytest.mark.chaos
def test_after_a_day_and_an_hour_without_a_daemon_an_interrupted_tick_holds_nothing_back(
    house: LoadingHouse, report: Report
) -> None:
    """Dagster does not resume a tick that is older than a day: what it knew of files is lost."""
    house.keep_running()
    house.catch_up(PATIENCE)
    house.end()
    house.sent.land(6)
    interrupt_a_tick(house, ago=25 * 60 * 60)
    house.keep_running()

    seconds = house.catch_up(PATIENCE)

    report.add("F26", "25 h since a tick began", caught_up_after=f"{seconds:.0f} s")


def interrupt_a_tick(house: LoadingHouse, ago: float) -> None:
    """Leave Dagster's storage as a daemon does that dies in the middle of the sensor's tick."""
    then = time.time() - ago
    with house.instance() as instance:
        (state,) = [one for one in instance.all_instigator_state() if one.name == sealed_files.name]
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, time.time())
        instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name=state.name,
                instigator_type=InstigatorType.SENSOR,
                status=TickStatus.STARTED,
                timestamp=then,
                selector_id=state.selector_id,
            )
        )
        instance.update_instigator_state(
            state.with_data(SensorInstigatorData(last_tick_timestamp=then))
        )


@pytest.mark.chaos
def test_after_the_kill_of_a_run_its_place_is_free_after_a_minute(
    house: LoadingHouse, report: Report
) -> None:
    house.keep_running()
    house.sent.land(6)
    house.kill("run worker")

    seconds = house.all_runs_end(PATIENCE)
    house.catch_up(PATIENCE)

    assert seconds < SILENT_SECONDS + 30  # a tick every 5 s, on a machine that may be busy
    report.add("F25", "kill -9 of a run", its_end_noted_after=f"{seconds:.0f} s")


@pytest.mark.chaos
def test_after_the_kill_of_the_code_server_the_daemon_loads_everything_once(
    house: LoadingHouse, report: Report
) -> None:
    house.keep_running()
    house.kill("code server")
    house.sent.land(6)

    seconds = house.catch_up(PATIENCE)

    report.add("F25", "kill -9 of the code server", caught_up_after=f"{seconds:.0f} s")


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_after_many_kills_at_random_everything_is_loaded_once_and_no_run_is_stuck(
    house: LoadingHouse, report: Report
) -> None:
    chance = random.Random(25)  # noqa: S311
    killed: Counter[str] = Counter()
    house.keep_running()
    for number in range(20):
        victim = VICTIMS[number % len(VICTIMS)]
        house.sent.land(6)
        sleep_at_random(chance, 15)
        if victim == "run worker" and house.running(victim) is None:
            victim = "daemon"
        house.kill(victim)
        killed[victim] += 1
        house.keep_running()
    seconds = house.catch_up(2 * PATIENCE)
    house.all_runs_end(PATIENCE)

    report.add(
        "F25",
        "kill -9 at random",
        **{f"{name}s": count for name, count in sorted(killed.items())},
        files=len(house.sent.files),
        not_loaded_exactly_once=0,
        caught_up_after=f"{seconds:.0f} s",
    )
