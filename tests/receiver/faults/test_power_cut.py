"""F04: the power goes, and nothing that was promised goes with it.

The shim journals what a really started receiver does to its disk. From the journal follows what
a power cut at any moment would have left: what was not synced is lost, or kept in part. The
receiver's recovery then runs on that, and the judge asks for everything answered before.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from receiver.files.recovery import recover
from tests.support.faults.disk import write_out
from tests.support.faults.driver import Driver, Sent, judge, make_events, post_events
from tests.support.faults.power_cut import cuts, losses
from tests.support.faults.report import Report
from tests.support.faults.shim import SWALLOW_FILES, SWALLOW_FOLDERS, Shim
from tests.support.processes import eventually
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]


@pytest.fixture(scope="module")
def journalled(module_shim: Shim) -> Iterator[RunningReceiver]:
    """A receiver whose disk the shim journals."""
    running = RunningReceiver(
        module_shim.folder, environment=module_shim.environment, seal_seconds=0.2, workers=2
    )
    yield running
    running.kill()


def load(running: RunningReceiver, promises: int, chance: random.Random) -> list[Sent]:
    """Send until so many events were promised; return what was sent."""
    driver = Driver(running, batch=8, seed=chance.randrange(10**6))
    assert driver.promises(promises)
    return driver.stop()


@pytest.mark.parametrize(
    ("promises", "count"),
    [
        pytest.param(200, 5, id="short"),
        pytest.param(5000, 70, id="long", marks=[pytest.mark.chaos, pytest.mark.timeout(900)]),
    ],
)
def test_a_power_cut_at_any_moment_loses_nothing_that_was_promised(
    journalled: RunningReceiver,
    module_shim: Shim,
    tmp_path: Path,
    report: Report,
    chance: random.Random,
    promises: int,
    count: int,
) -> None:
    sent = load(journalled, promises, chance)

    promised = 0
    for keep in (0.0, 0.5, 0.9):
        seed = chance.randrange(10**6)
        kept, found = losses(module_shim, sent, tmp_path, count, seed=seed, keep=keep)
        promised += kept
        assert found == []
    report.add("F04", "power cuts", injected=3 * count, promises_checked=promised, lost=0)

    assert promised > 0


@pytest.mark.parametrize(
    "swallow", [SWALLOW_FILES, SWALLOW_FOLDERS], ids=["of the file", "of the folder"]
)
def test_without_the_sync_the_power_cut_test_would_fail(
    journalled: RunningReceiver,
    module_shim: Shim,
    tmp_path: Path,
    chance: random.Random,
    swallow: int,
) -> None:
    assert eventually(lambda: not journalled.open_files())
    module_shim.control.swallow = swallow
    sent = load(journalled, 50, chance)
    (left,) = cuts(module_shim, [sent[-1].answered], seed=0, keep=0)
    module_shim.control.swallow = 0
    write_out(left, tmp_path / "after")
    recover(tmp_path / "after")

    assert judge(tmp_path / "after", sent).lost


@pytest.mark.chaos
def test_a_folder_whose_maker_died_before_syncing_it_is_synced_by_the_next_process(
    start_receiver: StartReceiver, shim: Shim, tmp_path: Path
) -> None:
    """In short, `test_names_and_lines_are_synced_before_landing_returns` says so."""
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
