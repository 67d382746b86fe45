"""A house whose disk is journalled while one command runs, and what power cuts would have left.

The shim journals what a real command does to the landing folder and the warehouse alike; from the
journal follows what a power cut at any moment would have left.
"""

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from landed.settings import ROOT
from tests.support.fault_cuts import cuts
from tests.support.fault_disk import CREATE, SYNC_END, Disk, read_journal, write_out
from tests.support.fault_shim import Shim

KEPT = (0.0, 0.5, 0.9)
"""How likely each piece is kept that was not synced; 0 is the worst case."""


class JournalledHouse:
    """The house in `house/` of a folder."""

    def __init__(self, folder: Path, library: Path) -> None:
        """What is there is on the disk, once `run` begins."""
        self._folder = folder
        self._shim = Shim(library, folder, disk="house")
        self._shim.journal.touch()
        self._before = Disk(str(folder / "house"))

    def run(self, environment: Mapping[str, str], *arguments: str) -> None:
        """Run Python with some arguments to its good end, and journal what it does.

        Args:
            environment: which house it is; nothing else is known of one.
            arguments: as on the command line.
        """
        self._before.adopt()
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("SEAMLINE_", "DAGSTER"))}
        subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=plain | dict(environment) | self._shim.environment,
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

    def cuts(self, count: int, chance: random.Random) -> Iterator[Path]:
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
                folder = self._folder / f"cut-{keep}-{number}"
                write_out(content, folder)
                yield folder

    def cut_at_the_end(self) -> Path:
        """The house that a power cut leaves as the command ends, with nothing kept."""
        *_, last = read_journal(self._shim.journal)
        (content,) = cuts(self._shim, [last.moment], 1, 0.0, self._before)
        write_out(content, self._folder / "cut-at-the-end")
        return self._folder / "cut-at-the-end"
