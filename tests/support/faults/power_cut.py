"""Power cuts: what a journal says that each would have left, of a landing folder or a whole house.

The shim journals what real commands do to the disk.
"""

import bisect
import copy
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from landed.settings import ROOT
from receiver.files.recovery import recover
from tests.support.faults.disk import CREATE, SYNC_END, Disk, read_journal, write_out
from tests.support.faults.driver import Sent, judge
from tests.support.faults.shim import Shim
from tests.support.house import House
from tests.support.processes import plain_environment

KEPT = (0.0, 0.5, 0.9)
"""How likely each piece is kept that was not synced; 0 is the worst case."""


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


class JournalledHouse:
    """A house whose disk is journalled while one command runs, and what power cuts leave of it."""

    def __init__(self, house: House, library: Path) -> None:
        """Take the house, which has to lie in a folder of its own below the test's."""
        self._house = house
        self._folder = house.folder.parent
        self._shim = Shim(library, self._folder, disk=house.folder.name)
        self._shim.journal.touch()
        self._before = Disk(str(house.folder))

    def run(self, *arguments: str) -> None:
        """Run Python with some arguments to its good end, and journal what it does.

        What is there is on the disk, once this begins.
        """
        self._before.adopt()
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=plain_environment() | self._house.environment | self._shim.environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def unsynced(self) -> list[str]:
        """The Parquet files that came and are not sure to be on the disk."""
        created: dict[int, str] = {}
        for record in read_journal(self._shim.journal):
            if record.kind == CREATE and record.path.endswith(".parquet"):
                created[record.inode] = record.path
            elif record.kind == SYNC_END:
                created.pop(record.inode, None)
        return sorted(path for path in created.values() if Path(path).exists())

    def cuts(self, count: int, chance: random.Random) -> Iterator[House]:
        """The houses that so many power cuts leave, each at one step or another.

        Args:
            count: how many, for each of `KEPT`; one is for one of them.
            chance: chooses the steps, and what stays of them.
        """
        steps = [record.moment for record in read_journal(self._shim.journal)]
        for keep in KEPT if count > 1 else [chance.choice(KEPT)]:
            moments = sorted(chance.choices(steps, k=count))
            left = cuts(self._shim, moments, chance.randrange(10_000), keep, self._before)
            for number, content in enumerate(left):
                yield self._left(f"cut-{keep}-{number}", content)

    def cut_at_the_end(self) -> House:
        """The house that a power cut leaves as the command ends, with nothing kept."""
        *_, last = read_journal(self._shim.journal)
        (content,) = cuts(self._shim, [last.moment], 1, 0.0, self._before)
        return self._left("cut-at-the-end", content)

    def _left(self, name: str, content: dict[str, bytes]) -> House:
        write_out(content, self._folder / name)
        return self._house.at(self._folder / name)
