"""The sensors that tell others: what is new, once, and again if nobody took it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs.landing_assets import LANDING
from orchestration.defs.notifications import sensors, tell_alerts, tell_loads
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House
from tests.support.listener import Listener, listening


@dg.asset_check(asset=LANDING)
def disk() -> dg.AssetCheckResult:
    """One that a test decides on."""
    return dg.AssetCheckResult(passed=STATE["passed"], description="it is full")


@dg.job
def breaks() -> None:
    @dg.op
    def broken() -> None:
        raise ValueError("not shown")

    broken()


STATE = {"passed": True}
REPOSITORY = dg.Definitions(
    assets=[dg.AssetSpec(LANDING)],
    asset_checks=[disk],
    jobs=[breaks, dg.define_asset_job("look", dg.AssetSelection.checks(disk))],
)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


class Ticks:
    """A sensor's ticks, one after the other."""

    def __init__(self, sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> None:
        """Begin without a cursor."""
        self._sensor, self._instance = sensor, instance
        self._cursor: str | None = None

    def tick(self) -> str:
        """Let it look once; return what it says."""
        context = dg.build_sensor_context(
            self._instance, self._cursor, repository_def=REPOSITORY.get_repository_def()
        )
        done: Any = self._sensor(context)
        if isinstance(done, dg.SensorResult):
            self._cursor = done.cursor
            return done.skip_reason.skip_message if done.skip_reason else ""
        return str(done.skip_message)


def check(instance: dg.DagsterInstance, *, passed: bool) -> None:
    STATE["passed"] = passed
    REPOSITORY.resolve_job_def("look").execute_in_process(instance=instance)


@pytest.fixture
def alerts(
    instance: dg.DagsterInstance, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> Ticks:
    monkeypatch.setenv("SEAMLINE_ALERTS_URL", listener.url)
    return Ticks(tell_alerts, instance)


def test_without_an_address_there_is_no_sensor() -> None:
    assert sensors(Settings(_env_file=None, alerts_url=None, loaded_url=None)) == []


@pytest.mark.long
def test_a_check_is_told_of_once_until_it_passes_again(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    check(instance, passed=True)
    alerts.tick()
    for passed in (False, False, True):
        check(instance, passed=passed)
        alerts.tick()

    assert [one["text"].splitlines()[1:] for one in listener.posted] == [
        ["disk on landing does not pass: it is full"],
        ["disk on landing passes again"],
    ]


def test_what_fails_when_it_begins_is_told_of(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    check(instance, passed=False)

    alerts.tick()

    assert len(listener.posted) == 1


def test_a_run_that_failed_before_it_began_is_not_told_of(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    breaks.execute_in_process(instance=instance, raise_on_error=False)

    alerts.tick()
    alerts.tick()

    assert listener.posted == []


def test_a_run_that_fails_is_told_of_once_and_nothing_it_said(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    alerts.tick()
    done = breaks.execute_in_process(instance=instance, raise_on_error=False)
    alerts.tick()
    alerts.tick()

    (told,) = listener.posted
    assert told["failed_runs"][0]["run_id"] == done.run_id
    assert "not shown" not in str(told)


@pytest.mark.long
def test_what_nobody_took_is_told_at_the_next_tick(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    check(instance, passed=False)
    listener.status = 503
    said = alerts.tick()
    listener.status = 200

    alerts.tick()

    assert said == "127.0.0.1 answered 503. It is tried again at the next tick."
    assert listener.posted[0] == listener.posted[1]


@pytest.mark.long
def test_a_run_that_fails_while_nobody_takes_the_first_message_is_told_of(
    alerts: Ticks, instance: dg.DagsterInstance, listener: Listener
) -> None:
    check(instance, passed=False)
    listener.status = 503
    alerts.tick()
    done = breaks.execute_in_process(instance=instance, raise_on_error=False)
    listener.status = 200

    alerts.tick()

    assert [one["run_id"] for one in listener.posted[-1]["failed_runs"]] == [done.run_id]


@pytest.mark.long
def test_loads_are_told_from_the_first_tick_on(
    own_house: House,
    raw_house: Path,
    instance: dg.DagsterInstance,
    listener: Listener,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_house.move_in(raw_house).put_into(monkeypatch)
    monkeypatch.setenv("SEAMLINE_LOADED_URL", listener.url)
    loaded = Ticks(tell_loads, instance)
    _load(own_house.settings, 1)
    loaded.tick()
    _load(own_house.settings, 2)
    listener.status = 500
    loaded.tick()
    _load(own_house.settings, 3)
    listener.status = 200
    loaded.tick()

    told = [one["table_version"] for one in listener.posted]
    assert told == [2, 2, 3]  # the first was not taken
    assert loaded.tick() == "No table shows a load that was not told of before."


def _load(settings: Settings, load_id: int) -> None:
    """Let the warehouse say that a load was made, and that the table shows it."""
    with writer_lock(settings), connect(settings) as con:
        con.execute(
            "insert into raw.landed_file by name select 'f' as file, 'track' as call, "
            "$1 as load_id, 1 as rows, 0 as rejected, now()::timestamp as loaded_at",
            [load_id],
        )
        con.execute(
            "insert into raw.completeness by name select 'track' as call, $1 as counted_load_id",
            [load_id],
        )
