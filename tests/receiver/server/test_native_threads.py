"""Long work in a worker gives way: to what has arrived meanwhile, and not to other long work."""

from collections.abc import Callable

import gevent
import pytest
from gevent import monkey, socket

from receiver.server import native_threads
from receiver.server.native_threads import compute, let_others_run

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
