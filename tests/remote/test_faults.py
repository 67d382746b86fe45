"""F42: the store answers 503, cuts connections, loses answers, is late: each event arrives once."""

import random
from collections.abc import Callable

import pytest
import structlog

from landed import object_store
from landed.buckets import Patience
from landed.object_store import Store, StoreError
from orchestration.audit.status import status
from orchestration.remote import process
from orchestration.remote.process import stay
from receiver.shipping import process as shipping
from receiver.shipping.process import Shipping
from tests.remote.machines import Loader, Machines, Receiver
from tests.support.object_store import FAULTS, GOES_ON, FailingStore

pytestmark = pytest.mark.scale

FILES = 6
TRIES = 200


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried again by the client itself."""
    monkeypatch.setattr(object_store, "PATIENT", Patience(10, 0, 10))


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_becomes_of_requests_each_event_arrives_once(
    machines: Machines,
    loader: Loader,
    failing: FailingStore,
    chance: random.Random,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    if fault == "late":
        monkeypatch.setattr(object_store, "PATIENT", Patience(0.5, 0, 1))
        failing.late = 0.8
    receiver = machines.receiver()
    for number in range(FILES):
        receiver.land(number)
    failing.fault = lambda _method, _path: chance.choice([fault, GOES_ON, GOES_ON, GOES_ON])

    while receiver.left():  # one that is refused while others go is left out of a pass
        _until_it_works(receiver.ship)
    while loader.messages().total() < FILES:
        _until_it_works(loader.exchange)
        loader.take()
    _until_it_works(loader.exchange)
    failing.fault = lambda _method, _path: GOES_ON
    loader.whole_pass()

    assert fault in [met for *_, met in failing.asked]
    assert receiver.left() == []
    assert loader.messages() == machines.once(range(FILES))
    assert loader.problems() == []
    assert list(loader.landing.glob("*/*.conflict")) == []
    assert machines.keys("waiting") + machines.keys("conflicts") == []
    assert len(machines.keys("loaded")) == FILES


def _until_it_works(work: Callable[[], object]) -> None:
    said: list[str] = []
    for _ in range(TRIES):
        try:
            work()
        except StoreError as error:
            said.append(error.message)
        else:
            break
    assert [one for one in said if not one.startswith("SEAMLINE_LANDING_REMOTE: s3://")] == []
    assert [one for one in said if "\n" in one or "secret" in one] == []
    assert len(said) < TRIES


def test_who_ships_waits_for_the_store_says_it_once_and_goes_on(
    machines: Machines,
    receiver: Receiver,
    failing: FailingStore,
) -> None:
    receiver.land(1)
    failing.fault = lambda _method, _path: "503"
    paused: list[float] = []

    def sleep(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 8:
            failing.fault = lambda _method, _path: GOES_ON
        if not receiver.left() and len(paused) > 8:
            raise KeyboardInterrupt

    with structlog.testing.capture_logs() as logged, pytest.raises(KeyboardInterrupt):
        Shipping(receiver.landing, Store(machines.address), sleep).run(once=False)

    (problem,) = [line["problem"] for line in logged if line["event"] == "store_fails"]
    assert problem.startswith("SEAMLINE_LANDING_REMOTE: ")
    assert "503" in problem
    assert [line["event"] for line in logged].count("store_is_back") == 1
    assert paused[0] <= 1
    assert shipping.LONGEST_PAUSE / 2 <= paused[7] <= shipping.LONGEST_PAUSE
    assert len(machines.keys("waiting")) == 1


def test_who_fetches_waits_for_the_store_says_it_once_and_goes_on(
    loader: Loader,
    receiver: Receiver,
    failing: FailingStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.land(1)
    receiver.ship()
    loader.take()
    failing.fault = lambda _method, _path: "503"
    paused: list[float] = []

    def sleep(seconds: float) -> None:
        paused.append(seconds)
        if len(paused) == 8:
            (problem,) = [
                one for one in status(loader.settings).problems if "was asked last" in one
            ] or [""]
            assert problem == ""  # not yet for so long
            failing.fault = lambda _method, _path: GOES_ON
        if len(paused) > 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stay(loader.settings, sleep)

    said = [record.message for record in caplog.records if "503" in record.message]
    assert len(said) == 1
    assert said[0].startswith("SEAMLINE_LANDING_REMOTE: ")
    assert "can be used again" in caplog.text
    assert process.LONGEST_PAUSE / 2 <= paused[7] <= process.LONGEST_PAUSE
    assert [path.name for path in loader.landing.glob("track/*.ndjson")] != []


def test_a_store_that_is_not_asked_for_long_is_a_problem(
    loader: Loader, receiver: Receiver, failing: FailingStore
) -> None:
    receiver.land(1)
    receiver.ship()
    loader.take()
    loader.exchange()
    failing.fault = lambda _method, _path: "503"
    settings = loader.settings.model_copy(update={"alarm_waiting_seconds": 0.01})

    def sleep(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stay(loader.settings, sleep)

    (problem,) = [one for one in status(settings).problems if "was asked last" in one]
    assert "nothing of it is lost" in problem
    assert "503" in problem
