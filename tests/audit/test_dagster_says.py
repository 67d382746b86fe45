"""What Dagster knows and the warehouse does not: checks that fail, and when upkeep comes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from orchestration.audit.dagster_says import ALIVE_SECONDS, STANDS, DagsterSays, look
from orchestration.audit.status import Status
from orchestration.dagster_database import SCHEDULES, opened
from orchestration.defs.upkeep_assets import every_hour
from orchestration.prepare import prepare_dagster_home
from orchestration.settings import Settings
from tests.support import postgres

NOW = datetime(2026, 11, 22, 5, 24, 46, tzinfo=UTC)


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """With Dagster's storage in PostgreSQL, where these tests run on it."""
    return settings.model_copy(update=postgres.dagster_storage(monkeypatch))


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Of a house of the test's own."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def said(settings: Settings, *without: str, at: datetime = NOW) -> DagsterSays:
    found = look(settings, at, set(without))
    assert found is not None
    return found


def beat(instance: dg.DagsterInstance, at: datetime) -> None:
    """Give a sign as the daemon does."""
    instance.add_daemon_heartbeat(DaemonHeartbeat(at.timestamp(), "SCHEDULER", "one"))


def evaluate(instance: dg.DagsterInstance, *, passed: bool) -> None:
    @dg.asset(key=["segment", "track"], check_specs=[dg.AssetCheckSpec("unique", asset=KEY)])
    def table() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(passed=passed, check_name="unique")]
        )

    assert dg.materialize([table], instance=instance).success


KEY = dg.AssetKey(["segment", "track"])


def test_where_dagster_was_never_started_there_is_nothing_to_say(settings: Settings) -> None:
    assert look(settings, NOW, set()) is None


def test_upkeep_comes_while_the_daemon_runs(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert said(settings).next_upkeep is None

    beat(instance, NOW - timedelta(seconds=ALIVE_SECONDS / 2))

    assert said(settings).is_running
    assert said(settings).next_upkeep == datetime(2026, 11, 22, 6, 5, tzinfo=UTC)
    before = NOW.replace(minute=1)
    found = look(settings, before, set())
    assert found is not None
    assert found.next_upkeep == NOW.replace(minute=5, second=0)


def test_a_daemon_that_gave_no_sign_for_long_does_not_run(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    beat(instance, NOW - timedelta(seconds=2 * ALIVE_SECONDS))

    assert not said(settings).is_running


def test_a_check_fails_until_it_has_passed_again(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    evaluate(instance, passed=True)
    assert said(settings).problems == []

    evaluate(instance, passed=False)
    (problem,) = said(settings).problems
    assert "The check unique of segment/track did not pass" in problem
    assert said(settings, "unique").problems == []

    evaluate(instance, passed=True)
    assert said(settings).problems == []


@pytest.mark.long
def test_of_a_check_that_is_made_no_more_nothing_is_said_for_ever(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    """A test that was removed from the models cannot pass again, until Dagster's run is purged."""
    now = datetime.now(UTC)
    evaluate(instance, passed=False)

    assert len(said(settings, at=now + STANDS - timedelta(minutes=1)).problems) == 1
    assert said(settings, at=now + STANDS + timedelta(minutes=1)).problems == []


@pytest.mark.long
def test_an_upkeep_that_failed_is_a_problem(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    @dg.op
    def fails() -> None:
        raise dg.Failure("no disk")

    job = dg.job(name="upkeep")(lambda: fails() and None)
    job.execute_in_process(instance=instance, raise_on_error=False)

    found = said(settings)
    assert found.last_upkeep is not None
    assert "The last upkeep failed at" in found.problems[0]


def test_a_schedule_that_is_switched_off_is_a_problem(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    beat(instance, NOW)
    with opened(settings, SCHEDULES) as execute:
        execute(
            "insert into instigators (selector_id, status, instigator_type, instigator_body) "
            "values ('one', 'STOPPED', 'SCHEDULE', $1)",
            [f'{{"job_name": "{every_hour.name}"}}'],
        )

    found = said(settings)
    assert found.next_upkeep is None
    assert "switched off" in found.problems[0]


def test_a_terminal_is_told_when_upkeep_comes_or_why_not() -> None:
    there = Status("landing", is_dagster_running=True, next_upkeep=NOW, last_upkeep=NOW)
    line = "Next upkeep: 2026-11-22 05:24 UTC, the last one ended 2026-11-22 05:24:46"

    assert line in there.lines()
    assert "Next upkeep: none by itself, as Dagster's daemon does not run" in Status("x").lines()
