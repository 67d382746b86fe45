"""Long work in a worker gives way: to what has arrived meanwhile, and not to other long work."""

from collections.abc import Callable, Generator
from typing import Any

import gevent
import pytest
from gevent import monkey, socket

from receiver.errors import ThrottledError
from receiver.server import native_threads
from receiver.server.native_threads import (
    Turn,
    compute,
    compute_in_turns,
    let_others_run,
    run_native,
    work_seconds,
)

LONG_REQUESTS = 10


@pytest.fixture(autouse=True)
def _in_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monkey, "is_module_patched", lambda _name: True)


def test_who_has_just_sent_something_waits_for_a_turn_of_one_long_request_not_of_all() -> None:
    turns = 0

    def work_for_long() -> None:
        nonlocal turns
        for _ in range(50):
            turns += 1
            let_others_run()

    here, there = socket.socketpair()
    with here, there:
        reading = gevent.spawn(here.recv, 1)
        gevent.sleep(0.001)  # it waits
        working = [gevent.spawn(work_for_long) for _ in range(LONG_REQUESTS)]
        there.sendall(b"x")
        reading.join()
        before = turns
        gevent.joinall(working)

    assert turns == 50 * LONG_REQUESTS
    assert before <= 2 * LONG_REQUESTS  # the first turn is everybody's; all of 50 would be 500


def test_of_long_computations_one_runs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running = most = 0

    def run_native(work: Callable[[], str]) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        gevent.sleep(0)  # a thread of its own would run here, and all that are ready beside it
        running -= 1
        return work()

    monkeypatch.setattr(native_threads, "run_native", run_native)
    computing = [gevent.spawn(compute, lambda: "done") for _ in range(3)]
    gevent.joinall(computing, raise_error=True)

    assert [one.value for one in computing] == ["done"] * 3
    assert most == 1


def compute_as(turn: Turn, done: list[str]) -> None:
    """Compute for a request of somebody's; at once, but others run beside it."""
    native_threads.compute_as(turn)
    compute(lambda: done.append(turn.sender))


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_native(work: Callable[[], Any]) -> Any:
        gevent.sleep(0)
        return work()

    monkeypatch.setattr(native_threads, "run_native", run_native)


@pytest.mark.usefixtures("_at_once")
def test_whoever_computes_once_waits_for_one_computation_of_each_other_not_for_all() -> None:
    done: list[str] = []
    senders = [*["first"] * 50, *["second"] * 50, "third"]
    gevent.joinall([gevent.spawn(compute_as, Turn(one), done) for one in senders], raise_error=True)

    assert len(done) == len(senders)
    assert done.index("third") <= 4  # one of each was running or before it; in a queue, 100


@pytest.mark.usefixtures("_at_once")
def test_nothing_is_computed_for_whoever_has_used_up_everything_when_the_turn_comes() -> None:
    done: list[str] = []

    def must_have_left() -> None:
        if done:
            raise ThrottledError(1)

    of_one = Turn("one", must_have_left)
    computing = [gevent.spawn(compute_as, of_one, done) for _ in range(10)]
    gevent.joinall(computing)

    assert done == ["one"]
    assert [type(one.exception) for one in computing[1:]] == [ThrottledError] * 9


def in_turns(done: list[str], name: str) -> Generator[None, None, str]:
    for _ in range(20):
        done.append(name)
        yield
    return name


def compute_in_turns_as(turn: Turn, done: list[str], name: str) -> str:
    native_threads.compute_as(turn)
    return compute_in_turns(in_turns(done, name))


@pytest.mark.usefixtures("_at_once")
def test_a_long_computation_lets_others_have_turns_but_not_those_of_its_own_sender() -> None:
    done: list[str] = []
    long = gevent.spawn(compute_in_turns_as, Turn("first"), done, "first")
    own = gevent.spawn(compute_in_turns_as, Turn("first"), done, "own")
    gevent.sleep(0)  # it has begun
    other = gevent.spawn(compute_as, Turn("second"), done)
    gevent.joinall([long, own, other], raise_error=True)

    assert (long.value, own.value) == ("first", "own")
    assert done.index("second") <= 2  # behind all of it, 20
    assert done.index("own") > 20


@pytest.mark.usefixtures("_at_once")
def test_a_long_computation_ends_with_what_its_sender_may_cost() -> None:
    done: list[str] = []

    def must_have_left() -> None:
        if len(done) == 3:
            raise ThrottledError(1)

    one = gevent.spawn(compute_in_turns_as, Turn("one", must_have_left), done, "one")
    gevent.joinall([one])

    assert isinstance(one.exception, ThrottledError)
    assert len(done) == 3


def test_of_one_senders_requests_one_asks_for_a_turn() -> None:
    done: list[str] = []

    def run_as(sender: str) -> None:
        native_threads.compute_as(Turn(sender))
        let_others_run()
        done.append(sender)

    senders = [*["first"] * 50, "second"]
    gevent.joinall([gevent.spawn(run_as, one) for one in senders], raise_error=True)

    assert len(done) == len(senders)
    assert done.index("second") <= 2


def test_the_clock_of_a_request_has_what_is_computed_for_it_and_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, in_thread = [0.0], [0.0]
    hub = gevent.get_hub()

    class Clock:
        @staticmethod
        def thread_time() -> float:
            return (here if gevent.get_hub() is hub else in_thread)[0]

    monkeypatch.setattr(native_threads, "time", Clock)

    def work() -> None:
        in_thread[0] += 5

    def others() -> None:
        here[0] += 100

    started = work_seconds()
    here[0] += 1
    gevent.spawn(others)
    run_native(work)
    gevent.spawn(others)
    let_others_run()

    assert here[0] == 201
    assert work_seconds() - started == pytest.approx(6)
