"""F01, F02, F03: killed anywhere, stopped or restarted under load, it keeps every promise."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver.senders.sources import write_sources
from tests.support.faults.driver import (
    Driver,
    Event,
    Sent,
    judge,
    make_events,
    post_events,
    post_until_promised,
)
from tests.support.faults.report import Report
from tests.support.faults.shim import AFTER_SYNC, BEFORE_SYNC, HALF_WRITTEN, Shim
from tests.support.processes import eventually, free_port
from tests.support.receiver.landing import landed_ids, payload_of
from tests.support.receiver.senders import SEGMENT_GIVES_UP, SOURCES
from tests.support.receiver.server import RunningReceiver, start_process

StartReceiver = Callable[..., RunningReceiver]


def kill_a_worker(running: RunningReceiver, chance: random.Random) -> None:
    """Kill one of two workers; return when another has taken its place."""
    assert eventually(lambda: len(running.workers()) == 2)
    victim = chance.choice(running.workers())
    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        workers = running.workers()
        return len(workers) == 2 and victim not in workers

    assert eventually(is_replaced)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(2, id="short"),
        pytest.param(200, id="long", marks=[pytest.mark.chaos, pytest.mark.timeout(1800)]),
    ],
)
def test_killed_at_any_moment_under_load_it_loses_nothing_it_promised(
    start_receiver: StartReceiver, report: Report, chance: random.Random, kills: int
) -> None:
    """First a worker is killed, then all, then seven workers, then all."""
    running = start_receiver(seal_seconds=0.5, workers=2)
    driver = Driver(running, batch=4)
    slowest = 0.0
    for number in range(kills):
        assert driver.promises(chance.randint(10, 100))
        started = time.monotonic()
        if number % 8 == 1:
            running.kill()
            left = running.open_files()
            running = driver.running = start_receiver(seal_seconds=0.5, workers=2)
            assert not {path for path in left if path.exists()}
        else:
            kill_a_worker(running, chance)
        slowest = max(slowest, time.monotonic() - started)
    assert driver.promises(10)
    sent = driver.stop()
    alive = post_events(running, make_events(1))
    assert running.stop() == 0

    verdict = judge(running.landing, sent + alive)
    assert alive[0].promised
    assert verdict.faults == {}
    assert running.open_files() == []
    torn = [path.read_bytes() for path in running.landing.glob("*/*.torn")]
    report.add(
        "F01",
        "kill -9 under load",
        kills=kills,
        promised=verdict.promised,
        lost=len(verdict.lost),
        torn_ends=len(torn),
        slowest_return=f"{slowest:.1f} s",
    )
    # What was promised is no part of what was torn off, so little was: one group at most.
    assert all(data.count(b"\n") < 4 * 4 for data in torn)
    assert verdict.promised > 20


@pytest.fixture(scope="module")
def mortal(module_shim: Shim) -> Iterator[RunningReceiver]:
    """A receiver whose worker dies where the shim is told to let it."""
    running = RunningReceiver(
        module_shim.folder, environment=module_shim.environment, seal_seconds=60
    )
    yield running
    running.kill()


def dies_at(mortal: RunningReceiver, shim: Shim, place: int, event: Event) -> None:
    """Send an event that its worker dies of, and wait until what it left is sealed."""
    sent = post_until_promised(mortal)
    (worker,) = mortal.workers()
    left = mortal.open_files()
    shim.control.die = place
    sent += (last := post_events(mortal, [event]))
    assert last[0].status is None
    assert eventually(lambda: mortal.workers() not in ([], [worker]))
    sent += post_until_promised(mortal)
    assert not {path for path in left if path.exists()}
    assert {one.message_id for one in sent if one.promised} <= landed_ids(mortal.landing)


def copies(mortal: RunningReceiver, event: Event) -> int:
    """Return how often an event has landed, byte for byte."""
    lines = mortal.lines(holding=event.message_id)
    return sum(payload_of(line) == event.body for line in lines)


@pytest.mark.parametrize("place", [BEFORE_SYNC, HALF_WRITTEN])
def test_an_event_whose_process_dies_before_the_sync_is_not_promised_and_lands_with_the_retry(
    mortal: RunningReceiver, module_shim: Shim, place: int
) -> None:
    (event,) = make_events(1, size=5000)
    torn = len(list(mortal.landing.glob("*/*.torn")))
    dies_at(mortal, module_shim, place, event)
    # What was written whole was sealed with the rest, as the disk had it; half a line is no event.
    assert copies(mortal, event) == (1 if place == BEFORE_SYNC else 0)
    assert len(list(mortal.landing.glob("*/*.torn"))) - torn == (place == HALF_WRITTEN)

    assert post_events(mortal, [event])[0].promised
    assert copies(mortal, event) == (2 if place == BEFORE_SYNC else 1)


def test_an_event_whose_process_dies_between_the_sync_and_the_answer_is_there_once(
    mortal: RunningReceiver, module_shim: Shim
) -> None:
    (event,) = make_events(1)
    dies_at(mortal, module_shim, AFTER_SYNC, event)
    assert copies(mortal, event) == 1

    assert post_events(mortal, [event])[0].promised
    # The same id, and the same bytes: the final table's one row.
    assert copies(mortal, event) == 2


@pytest.mark.long
def test_a_rolling_restart_under_load_loses_nothing(start_receiver: StartReceiver) -> None:
    running = start_receiver(seal_seconds=60, workers=2)
    sent = restarted_under_load(running)

    assert {one.status for one in sent} <= {200, 503, None}
    assert running.open_files() == []
    assert judge(running.landing, sent).faults == {}


@pytest.mark.chaos
def test_a_rolling_restart_under_load_refuses_for_no_longer_than_a_moment(
    start_receiver: StartReceiver, report: Report
) -> None:
    started = time.monotonic()
    running = start_receiver(seal_seconds=60, workers=2)
    start = time.monotonic() - started
    sent = restarted_under_load(running)

    promised = sorted(one.answered for one in sent if one.promised)
    longest = max(after - one for one, after in itertools.pairwise(promised))
    report.add("F03", "rolling restart", requests=len(sent), longest_gap=f"{longest:.2f} s", lost=0)
    assert longest < max(2 * start, SEGMENT_GIVES_UP)


def restarted_under_load(running: RunningReceiver) -> list[Sent]:
    """Exchange all workers under load, and stop; return what was sent."""
    before = running.workers()
    driver = Driver(running, batch=4)
    assert driver.promises(20)
    os.kill(running.process.pid, signal.SIGHUP)
    assert eventually(lambda: not set(before) & set(running.workers()))
    assert driver.promises(20)
    sent = driver.stop()
    assert running.stop() == 0
    return sent


@pytest.mark.long
def test_stopping_while_workers_start_takes_no_longer_than_a_start(
    tmp_path: Path,
) -> None:
    """A worker that has just been forked has the master's handlers, which swallow SIGTERM."""
    slow_start = "import time; from gevent import monkey; real = monkey.patch_all; "
    slow_start += "monkey.patch_all = lambda: (time.sleep(1), real())"
    write_sources(tmp_path / "sources.toml", SOURCES)
    log = tmp_path / "stderr"
    process = start_process(tmp_path, slow_start, log, port=free_port(), workers=1)
    try:
        assert eventually(lambda: "Booting" in log.read_text())
        process.terminate()

        assert process.wait(timeout=60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
