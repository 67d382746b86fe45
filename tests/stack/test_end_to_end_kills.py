"""SIGKILL of any process loses no acknowledged event and doubles no row; Ctrl-C leaves nothing."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.processes import eventually
from tests.support.stack.running_stack import VICTIMS, RunningHouse

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Iterator[RunningHouse]:
    """One house for all kills: what one leaves behind the next has to live with."""
    house = RunningHouse(tmp_path_factory.mktemp("house"))
    house.move_in(prepared_house)
    yield house
    house.end()


def _send(house: RunningHouse, what: str) -> None:
    house.track(*(f"{what}-{number}" for number in range(100)))


def _wait_for_rows(house: RunningHouse, seconds: float = 150) -> None:
    """Until every acknowledged event is a row; the house has no other events."""
    deadline = time.monotonic() + seconds
    while True:
        rows = [message_id for (message_id,) in house.rows("select message_id from segment.track")]
        if sorted(rows) == sorted(house.acknowledged):
            return
        assert len(rows) == len(set(rows))
        assert time.monotonic() < deadline, (
            f"{len(rows)} rows of {len(house.acknowledged)} events\n{house.tail()}"
        )
        time.sleep(0.5)


SERVICES = ("receiver", "webserver", "daemon", "code proxy")
"""Whose end ends the stack, which lets the others finish what they have in hand."""


def _run_again_if_ended(house: RunningHouse, victim: str) -> None:
    """Wait for the end of a stack that lost a service, and start it again, as a person would."""
    if victim in SERVICES:
        house.process.wait(timeout=120)
    house.keep_running()


FORMS = {"receiver": pytest.mark.long}
"""Who is killed in `make test-long`; all others in `make chaos`."""


@pytest.mark.parametrize(
    "victim",
    [pytest.param(name, marks=FORMS.get(name, pytest.mark.chaos)) for name in VICTIMS],
)
def test_after_the_kill_of_a_process_every_acknowledged_event_is_one_row(
    house: RunningHouse, victim: str
) -> None:
    house.keep_running()
    _send(house, f"before {victim}")

    house.wait_for(victim).kill()
    _run_again_if_ended(house, victim)

    _send(house, f"after {victim}")
    _wait_for_rows(house)


@pytest.mark.chaos
def test_after_the_kill_of_make_run_itself_nothing_holds_the_ports_and_nothing_is_lost(
    house: RunningHouse,
) -> None:
    house.keep_running()
    _send(house, "before make run")

    psutil.Process(house.process.pid).kill()
    house.process.wait()
    house.start()

    _send(house, "after make run")
    _wait_for_rows(house)
    assert house.stop() == 0


@pytest.mark.long
def test_the_dagster_ui_that_was_started_answers_to_its_own_names_alone(
    house: RunningHouse,
) -> None:
    house.keep_running()
    asked = {"url": f"{house.dagster_url}/graphql", "json": {"query": "{ version }"}}
    assert eventually(lambda: _status(asked) == 200, seconds=150), house.tail()

    assert _status(asked | {"headers": {"Host": "evil.example"}}) == 421
    assert _status(asked | {"headers": {"Origin": "http://evil.example"}}) == 403


def _status(asked: dict[str, Any]) -> int:
    try:
        return httpx.post(**asked, timeout=30).status_code
    except httpx.TransportError:
        return 0


@pytest.mark.long
def test_ctrl_c_leaves_no_process_and_no_unsealed_file(house: RunningHouse) -> None:
    house.keep_running()
    house.track("m1", "m2")
    family = house.processes()

    status = house.stop()

    assert status == 0
    assert [process for process in family if psutil.pid_exists(process.pid)] == []
    assert list(house.settings.landing.rglob("*.open")) == []
