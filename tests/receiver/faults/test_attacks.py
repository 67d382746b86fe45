"""What one key, or none, can do to the other senders: nothing that they notice."""

import statistics
import time
from collections.abc import Iterator

import pytest

from orchestration.loading.people import USER, Id
from orchestration.loading.suppressed import begin
from tests.support.faults.report import Report
from tests.support.receiver.attack import KEY
from tests.support.receiver.attackers import NAMES, under_attack
from tests.support.receiver.server import RunningReceiver

ALONE = (*NAMES, "crumbs")
REQUESTS = 300
MOST_MEMORY = 400_000_000


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver with all defaults, and somebody who is suppressed."""
    running = RunningReceiver(
        tmp_path_factory.mktemp("attacked"),
        workers=2,
        source_events_per_second=5000,
        refused_time_share=0.1,
    )
    begin(running.landing, [Id(USER, "erased")], suppressed=True)
    yield running
    running.kill()


def p99_of_a_good_sender(running: RunningReceiver) -> float:
    """Send good events, each on a connection of its own; all have to be taken."""
    waits = []
    for _ in range(REQUESTS):
        started = time.monotonic()
        answer = running.post("/v1/track", '{"userId":"good"}', headers=KEY)
        waits.append(time.monotonic() - started)
        assert answer.status_code == 200
        time.sleep(0.01)
    return statistics.quantiles(waits, n=100)[-1]


@pytest.mark.long
@pytest.mark.parametrize("name", ALONE)
def test_under_attack_a_good_sender_is_answered_and_memory_stays_bounded(
    attacked: RunningReceiver, name: str
) -> None:
    workers = attacked.workers()
    with under_attack(attacked.port, name):
        p99_of_a_good_sender(attacked)

    assert attacked.workers() == workers
    assert attacked.most_memory() <= MOST_MEMORY


@pytest.mark.chaos  # a matter of milliseconds: with nothing else on the machine
@pytest.mark.parametrize("names", [*((name,) for name in ALONE), NAMES], ids=", ".join)
def test_under_attack_a_good_sender_waits_no_longer_than_three_times_as_long(
    attacked: RunningReceiver, names: tuple[str, ...], report: Report
) -> None:
    quiet = p99_of_a_good_sender(attacked)
    with under_attack(attacked.port, *names):
        beside = p99_of_a_good_sender(attacked)
    quiet = max(quiet, p99_of_a_good_sender(attacked))

    report.add(
        "F21",
        f"attack: {', '.join(names)}",
        p99_quiet=f"{quiet * 1000:.1f} ms",
        p99_attacked=f"{beside * 1000:.1f} ms",
        ratio=f"{beside / quiet:.1f}",
        memory=f"{attacked.most_memory() / 1e6:.0f} MB",
    )
    assert beside <= 3 * quiet
