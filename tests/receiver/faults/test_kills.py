"""F01, F02, F03: killed anywhere, stopped or restarted under load, it keeps every promise."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.loading.landed_file import read, sealed_files
from receiver.sources import write_sources
from tests.support.fault_driver import (
    Driver,
    judge,
    make_events,
    post_events,
    post_until_promised,
    settle,
)
from tests.support.fault_report import Report
from tests.support.fault_shim import AFTER_SYNC, BEFORE_SYNC, HALF_WRITTEN, Shim
from tests.support.receiver import (
    SEGMENT_GIVES_UP,
    SOURCES,
    START_SECONDS,
    RunningReceiver,
    eventually,
    free_port,
    start_process,
)

StartReceiver = Callable[..., RunningReceiver]


def kill_a_worker(running: RunningReceiver, chance: random.Random) -> None:
    """Kill one of two workers; return when another has taken its place."""
    assert eventually(lambda: len(running.workers()) == 2)
    victim = chance.choice(running.workers())
    os.kill(victim, signal.SIGKILL)

    def is_replaced() -> bool:
        workers = running.workers()
        return len(workers) == 2 and victim not in workers

    assert eventually(is_replaced, START_SECONDS)


def copies(running: RunningReceiver, message_id: str) -> int:
    """Return how often an event stands in the sealed files."""
    files = map(read, sealed_files(running.landing))
    return sum(contents.lines.message_id.count(message_id) for contents in files)


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, id="short"),
        pytest.param(200, id="long", marks=[pytest.mark.chaos, pytest.mark.timeout(1800)]),
    ],
)
def test_killed_at_any_moment_under_load_it_loses_nothing_it_promised(
    start_receiver: StartReceiver, report: Report, kills: int
) -> None:
    chance = random.Random(kills)  # noqa: S311
    running = start_receiver(seal_seconds=0.5)
    driver = Driver(running, batch=4)
    slowest = 0.0
    for number in range(kills):
        time.sleep(chance.uniform(0.05, 0.4))
        started = time.monotonic()
        if number % 8 == 2:
            running.kill()
            running = driver.running = start_receiver(seal_seconds=0.5)
        else:
            kill_a_worker(running, chance)
        slowest = max(slowest, time.monotonic() - started)
    time.sleep(0.5)
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


@pytest.mark.parametrize("place", [BEFORE_SYNC, HALF_WRITTEN])
def test_an_event_whose_process_dies_before_the_sync_is_not_promised_and_lands_with_the_retry(
    start_receiver: StartReceiver, shim: Shim, place: int
) -> None:
    running = start_receiver(workers=1, seal_seconds=60)
    (event,) = make_events(1, size=5000)
    shim.control.die = place
    first = post_events(running, [event])
    again = post_until_promised(running, event)
    settle(running)

    assert first[0].status is None
    assert judge(running.landing, first + again).faults == {}
    torn = len(list(running.landing.glob("*/*.torn")))
    assert torn == (1 if place == HALF_WRITTEN else 0)


def test_an_event_whose_process_dies_between_the_sync_and_the_answer_is_there_once(
    start_receiver: StartReceiver, shim: Shim
) -> None:
    running = start_receiver(workers=1, seal_seconds=60)
    (event,) = make_events(1)
    shim.control.die = AFTER_SYNC
    first = post_events(running, [event])
    assert post_until_promised(running)
    once = copies(running, event.message_id)
    again = post_events(running, [event])
    settle(running)

    assert first[0].status is None
    assert once == 1
    assert again[0].promised
    # The same id, and the same bytes: the final table's one row.
    assert copies(running, event.message_id) == 2


def test_stopping_under_load_answers_or_refuses_and_seals_everything(
    start_receiver: StartReceiver,
) -> None:
    running = start_receiver(seal_seconds=60)
    driver = Driver(running, batch=4)
    time.sleep(1)
    assert running.stop() == 0
    sent = driver.stop()

    assert {one.status for one in sent} <= {200, 503, None}
    assert running.open_files() == list(running.landing.glob("*/*.torn")) == []
    assert judge(running.landing, sent).faults == {}


def test_a_rolling_restart_under_load_refuses_for_no_longer_than_a_moment(
    start_receiver: StartReceiver, report: Report
) -> None:
    started = time.monotonic()
    running = start_receiver(seal_seconds=60)
    start = time.monotonic() - started
    before = running.workers()
    driver = Driver(running, batch=4)
    time.sleep(0.5)
    os.kill(running.process.pid, signal.SIGHUP)
    assert eventually(lambda: not set(before) & set(running.workers()))
    time.sleep(0.5)
    sent = driver.stop()
    assert running.stop() == 0

    assert {one.status for one in sent} <= {200, 503, None}
    promised = sorted(one.answered for one in sent if one.promised)
    longest = max(after - one for one, after in itertools.pairwise(promised))
    report.add("F03", "rolling restart", requests=len(sent), longest_gap=f"{longest:.2f} s", lost=0)
    assert longest < max(2 * start, SEGMENT_GIVES_UP)
    assert running.open_files() == []
    assert judge(running.landing, sent).faults == {}


def test_stopping_while_workers_start_takes_no_longer_than_a_start(
    tmp_path: Path,
) -> None:
    """A worker that has just been forked has the master's handlers, which swallow SIGTERM."""
    slow_start = "import time; from gevent import monkey; real = monkey.patch_all; "
    slow_start += "monkey.patch_all = lambda: (time.sleep(1), real())"
    write_sources(tmp_path / "sources.toml", SOURCES)
    log = tmp_path / "stderr"
    process = start_process(tmp_path, slow_start, log, port=free_port())
    try:
        assert eventually(lambda: log.exists() and log.read_text().count("Booting") == 2)
        process.terminate()

        assert process.wait(timeout=30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
