"""F35, F36: too few descriptors, too little memory, too little of the processor."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import Context

import gevent
import psutil
import pytest

from receiver.events import intake
from receiver.server import worker as server_worker
from tests.support.faults.driver import (
    Driver,
    Sent,
    begin,
    judge,
    make_events,
    post_events,
    post_until_promised,
    settle,
)
from tests.support.faults.report import Report
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.held_bodies import HeldBody
from tests.support.receiver.landing import landed_ids
from tests.support.receiver.senders import WEB
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]

# Fewer than a worker thinks it has: else slow bodies make room before there is none.
FEW_DESCRIPTORS = """
import resource
from receiver.server import worker
worker._SPARE_FILES = 0
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
"""

# The last in the queue for the processor, and 192 MiB to grow by once everything is imported.
STARVED = """
import os, resource
import receiver.server, gunicorn.workers.ggevent
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + (192 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
os.nice(19)
"""


def test_without_a_free_descriptor_it_refuses_and_recovers(start_receiver: StartReceiver) -> None:
    running = start_receiver(FEW_DESCRIPTORS, workers=1, seal_seconds=0.05, body_seconds=20)
    sent: list[Sent] = []
    held = []
    for event in make_events(40):
        held.append(begin(running, 1000))  # half sent, so that it goes on to hold its descriptor
        sent += post_events(running, [event], timeout=1)
        if sent[-1].status is None:
            break
    for connection in held:
        connection.close()
    sent += post_until_promised(running)
    settle(running)

    assert {503, 200} <= {one.status for one in sent} <= {200, 503, None}
    assert judge(running.landing, sent).faults == {}


def batch(*message_ids: str, padding: int) -> bytes:
    events = [{"type": "track", "messageId": one, "x": "x" * padding} for one in message_ids]
    return json.dumps({"batch": events}).encode()


def test_of_bodies_that_are_too_much_together_the_last_is_refused_and_its_retry_taken(
    make_app: Callable[..., AppReceiver],
) -> None:
    app = make_app(bodies_bytes=1_000_000, body_bytes=2_000_000)
    statuses = []

    def post_another() -> None:
        statuses.append(app.post("/v1/batch", batch("late", padding=950_000)).status_code)
        statuses.append(app.post("/v1/batch", batch("small", padding=10)).status_code)

    large = batch("large-0", "large-1", padding=750_000)  # alone, one may be more than all
    body = HeldBody(large)
    body.happens = post_another
    answer = app.app.test_client().post(
        "/v1/batch", input_stream=body, content_length=len(large), headers=WEB
    )
    statuses.append(answer.status_code)
    post_another()

    assert statuses == [503, 200, 200, 200, 200]
    assert landed_ids(app.landing) == {"large-0", "large-1", "small", "late"}


def test_a_small_request_is_answered_before_a_large_batch_that_came_first(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    landed_before = []

    def others_run() -> None:
        assert app.post("/v1/batch", batch("small", padding=10)).status_code == 200
        landed_before.append(landed_ids(app.landing))

    monkeypatch.setattr(intake, "let_others_run", lambda: Context().run(others_run))
    large = [f"large-{number}" for number in range(3)]

    assert app.post("/v1/batch", batch(*large, padding=900_000)).status_code == 200

    assert landed_before == [{"small"}] * 3
    assert landed_ids(app.landing) == {"small", *large}


def test_who_goes_on_sending_after_a_refusal_leaves_others_every_second_turn_and_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server_worker, "_LINGER_BYTES", 10 * server_worker._PIECE)  # noqa: SLF001
    turns: list[str] = []

    class Endless:
        def read(self, size: int) -> bytes:
            turns.append("flood")
            return bytes(size)

    def other() -> None:
        while True:
            turns.append("other")
            gevent.sleep(0)

    beside = gevent.spawn(other)
    is_read = server_worker._read_rest(Endless())  # noqa: SLF001
    beside.kill()

    assert not is_read
    assert turns.count("flood") == 10
    assert "flood, flood" not in ", ".join(turns)


@pytest.fixture
def busy_processor() -> Iterator[None]:
    """Others who want the processor as well, and come first."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for burner in burners:
        burner.kill()
        burner.wait()


@pytest.mark.chaos
@pytest.mark.usefixtures("busy_processor")
def test_starved_of_memory_and_processor_it_refuses_or_starts_anew_and_keeps_its_promises(
    start_receiver: StartReceiver, report: Report
) -> None:
    running = start_receiver(STARVED, workers=1, bodies_bytes="20MiB", body_bytes="32MiB")
    driver = Driver(running, senders=2)
    large = Driver(running, senders=6, batch=400, size=30_000)
    largest = 0
    for _ in range(40):
        time.sleep(0.1)
        largest = max(largest, resident(running))
    sent = driver.stop() + large.stop()
    sent += post_until_promised(running)
    settle(running)

    verdict = judge(running.landing, sent)
    assert verdict.faults == {}
    assert {one.status for one in sent} <= {200, 503, None}
    assert any(one.status == 503 for one in sent)
    assert verdict.promised > 0
    assert largest < 300 << 20
    report.add(
        "F35",
        "192 MiB to grow, nice 19 against two busy loops",
        promised=verdict.promised,
        refused=sum(not one.promised for one in sent),
        lost=0,
        largest_RSS=f"{largest >> 20} MiB",
    )


def resident(running: RunningReceiver) -> int:
    """Return the memory of the largest worker; 0 while there is none."""
    sizes = [0]
    for worker in running.workers():
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(psutil.Process(worker).memory_info().rss)
    return max(sizes)
