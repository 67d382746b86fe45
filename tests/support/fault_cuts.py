"""Power cuts at many moments of one run, and what each would have lost."""

import bisect
import copy
import random
from collections.abc import Iterator
from pathlib import Path

from receiver.recovery import recover
from tests.support.fault_disk import Disk, read_journal, write_out
from tests.support.fault_driver import Sent, judge
from tests.support.fault_shim import Shim


def as_of(sent: list[Sent], moment: float) -> list[Sent]:
    """Return what had been promised by then: what was answered later was not."""
    return [one if one.answered <= moment else one._replace(status=None) for one in sent]


def cuts(
    shim: Shim, moments: list[float], seed: int, keep: float, before: Disk | None = None
) -> Iterator[dict[str, bytes]]:
    """Yield what a power cut at each moment would have left.

    Args:
        shim: whose journal says what was done.
        moments: when, on the monotonic clock, the first one first.
        seed: of the chance that decides what is kept.
        keep: how likely each piece is kept that was not synced.
        before: what was on the disk at the start; nothing, if not given.
    """
    chance = random.Random(seed)  # noqa: S311
    disk = copy.deepcopy(before) or Disk(shim.environment["FAULTS_ROOT"])
    records = list(read_journal(shim.journal))
    done = 0
    for moment in moments:
        until = bisect.bisect_right(records, moment, key=lambda record: record.moment)
        for record in records[done:until]:
            disk.apply(record)
        done = max(done, until)
        yield disk.cut(chance, keep)


def losses(
    shim: Shim, sent: list[Sent], folder: Path, count: int, seed: int = 1, keep: float = 0.0
) -> tuple[int, list[object]]:
    """Cut the power at the end and at random moments before it.

    Returns:
        What had been promised, and what was lost of it.
    """
    chance = random.Random(seed)  # noqa: S311
    first, last = sent[0].sent, sent[-1].answered
    moments = [*sorted(chance.uniform(first, last) for _ in range(count - 1)), last]
    promised, found = 0, []
    for number, left in enumerate(cuts(shim, moments, seed, keep)):
        landing = folder / f"cut-{keep}-{number}"
        write_out(left, landing)
        recover(landing)
        verdict = judge(landing, as_of(sent, moments[number]))
        promised += verdict.promised
        # What was never synced may be damaged, if half of it is there; then the loader names it.
        unsynced_may_be_damaged = keep > 0
        if unsynced_may_be_damaged:
            verdict = verdict._replace(damaged=[])
        if verdict.faults or list(landing.glob("*/*.open")):
            found.append(verdict.faults)
    return promised, found
