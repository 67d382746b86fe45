"""F04: the power goes, and nothing that was promised goes with it.

The shim journals what a really started receiver does to its disk. From the journal follows what
a power cut at any moment would have left: what was not synced is lost, or kept in part. The
receiver's recovery then runs on that, and the judge asks for everything answered before.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.recovery import recover
from tests.support.fault_cuts import cuts, losses
from tests.support.fault_disk import write_out
from tests.support.fault_driver import Driver, Sent, judge, make_events, post_events
from tests.support.fault_report import Report
from tests.support.fault_shim import SWALLOW_FILES, SWALLOW_FOLDERS, Shim
from tests.support.receiver import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]


def load_for(start_receiver: StartReceiver, seconds: float, seed: int) -> list[Sent]:
    """Run a receiver under load, kill it at the end, and return what was sent."""
    running = start_receiver(seal_seconds=0.3, workers=2)
    driver = Driver(running, batch=8, seed=seed)
    time.sleep(seconds)
    sent = driver.stop()
    running.kill()
    return sent


@pytest.mark.parametrize(
    ("seconds", "count"),
    [
        pytest.param(1.5, 10, id="short"),
        pytest.param(5, 70, id="long", marks=[pytest.mark.chaos, pytest.mark.timeout(900)]),
    ],
)
def test_a_power_cut_at_any_moment_loses_nothing_that_was_promised(
    start_receiver: StartReceiver,
    shim: Shim,
    tmp_path: Path,
    report: Report,
    seconds: float,
    count: int,
) -> None:
    sent = load_for(start_receiver, seconds, seed=1)

    promised = 0
    for keep in (0.0, 0.5, 0.9):
        kept, found = losses(shim, sent, tmp_path, count, keep=keep)
        promised += kept
        assert found == []
    report.add("F04", "power cuts", injected=3 * count, promises_checked=promised, lost=0)

    assert promised > 100


def test_without_the_sync_of_the_file_the_power_cut_test_would_fail(
    start_receiver: StartReceiver, shim: Shim, tmp_path: Path
) -> None:
    shim.control.swallow = SWALLOW_FILES
    sent = load_for(start_receiver, 1, seed=2)

    _, found = losses(shim, sent, tmp_path, 5)

    assert found


def test_without_the_sync_of_the_folder_the_power_cut_test_would_fail(
    start_receiver: StartReceiver, shim: Shim, tmp_path: Path
) -> None:
    shim.control.swallow = SWALLOW_FOLDERS
    sent = load_for(start_receiver, 1, seed=3)

    _, found = losses(shim, sent, tmp_path, 5)

    assert found


def test_a_folder_whose_maker_died_before_syncing_it_is_synced_by_the_next_process(
    start_receiver: StartReceiver, shim: Shim, tmp_path: Path
) -> None:
    shim.control.swallow = SWALLOW_FOLDERS
    first = start_receiver()
    post_events(first, make_events(1))
    first.kill()
    shim.control.swallow = 0
    second = start_receiver()

    sent = post_events(second, make_events(20))
    (left,) = cuts(shim, [sent[-1].answered], seed=0, keep=0)
    write_out(left, tmp_path / "after")
    recover(tmp_path / "after")

    assert judge(tmp_path / "after", sent).lost == set()
