"""SIGKILL of any process loses no acknowledged event and doubles no row; Ctrl-C leaves nothing."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.running_stack import House

pytestmark = pytest.mark.timeout(900)

Wanted = Callable[[list[str]], bool]


def _module(name: str) -> Wanted:
    return lambda command: command[1:3] == ["-m", name]


def _script(name: str) -> Wanted:
    return lambda command: any(part.endswith(name) for part in command[:2])


def _code_server(command: list[str]) -> bool:
    return "api" in command and "grpc" in command


def _run_worker(command: list[str]) -> bool:
    """A run's own process: spawned by the daemon's code server, while a run is on its way."""
    return "execute_run" in command or any("spawn_main" in part for part in command)


VICTIMS: dict[str, Wanted] = {
    "receiver": _module("receiver"),
    "webserver": _script("dagster-webserver"),
    "daemon": _script("dagster-daemon"),
    "run worker": _run_worker,
    "code server": _code_server,
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Iterator[House]:
    """One house for all kills: what one leaves behind the next has to live with."""
    house = House(tmp_path_factory.mktemp("house"))
    house.move_in(prepared_house)
    yield house
    house.end()


def _send(house: House, what: str) -> None:
    house.track(*(f"{what}-{number}" for number in range(100)))


def _wait_for_rows(house: House, seconds: float = 150) -> None:
    """Until every acknowledged event is a row; the house has no other events."""
    deadline = time.monotonic() + seconds
    while True:
        rows = [message_id for (message_id,) in house.query("select message_id from segment.track")]
        if sorted(rows) == sorted(house.acknowledged):
            return
        assert len(rows) == len(set(rows))
        assert time.monotonic() < deadline, (
            f"{len(rows)} rows of {len(house.acknowledged)} events\n{house.tail()}"
        )
        time.sleep(0.5)


SERVICES = ("receiver", "webserver", "daemon")
"""Whose end ends the stack, which lets the others finish what they have in hand."""


def _run_again_if_ended(house: House, victim: str) -> None:
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
    house: House, victim: str
) -> None:
    house.keep_running()
    _send(house, f"before {victim}")

    house.process_of(VICTIMS[victim]).kill()
    _run_again_if_ended(house, victim)

    _send(house, f"after {victim}")
    _wait_for_rows(house)


@pytest.mark.chaos
def test_after_the_kill_of_make_run_itself_nothing_holds_the_ports_and_nothing_is_lost(
    house: House,
) -> None:
    house.keep_running()
    _send(house, "before make run")

    psutil.Process(house.process.pid).kill()
    house.process.wait()
    house.run()

    _send(house, "after make run")
    _wait_for_rows(house)
    assert house.stop() == 0


@pytest.mark.long
def test_ctrl_c_leaves_no_process_and_no_unsealed_file(house: House) -> None:
    house.keep_running()
    house.track("m1", "m2")
    family = house.processes()

    status = house.stop()

    assert status == 0
    assert [process for process in family if psutil.pid_exists(process.pid)] == []
    assert list(house.settings.landing.rglob("*.open")) == []
