"""F35, F36: too few descriptors, too little memory, too little of the processor."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

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
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]

FEW_DESCRIPTORS = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))"

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
