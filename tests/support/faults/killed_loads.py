"""A load that is killed, and the judge of what it leaves behind.

The oracle: for each file in the ledger the raw tables have exactly the rows that the ledger says,
each line once; no row is of a file that the ledger does not know; a file is either in the ledger
or still waits.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from typing import Any

import duckdb
import pytest

from landed.folders import CALLS
from orchestration.loading.landed_file import sealed_files
from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading, rows, spare_the_processor

_forks = multiprocessing.get_context("forkserver")
# A fork of a process that has imported everything begins at once, so kills cost no imports.
_forks.set_forkserver_preload(
    ["orchestration.models.run", "orchestration.loading.load", "dbt.cli.main"]
)


class Child:
    """A process that does one thing of load_children, and can be killed while it does."""

    def __init__(self, target: Callable[..., None], *arguments: object) -> None:
        """Start it, and return once it begins."""
        self.pipe, theirs = _forks.Pipe()
        self.process: ForkServerProcess = _forks.Process(
            target=_spared, args=(target, *arguments, theirs), daemon=True
        )
        self.process.start()
        theirs.close()
        assert self.told() == "begins"

    def told(self, seconds: float = 120) -> Any:
        """What it tells next."""
        assert self.pipe.poll(seconds), "nothing was told"
        return self.pipe.recv()

    def kill(self, *, group: bool = False) -> None:
        """SIGKILL, to its process group if it leads one; return once it is gone."""
        assert self.process.pid is not None
        if group:
            with contextlib.suppress(ProcessLookupError):  # it was done just before
                os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.join(30)

    def ends(self, seconds: float = 120) -> Any:
        """What it tells last; it has to end well."""
        with contextlib.closing(self.pipe):
            last = self.told(seconds)
            self.process.join(60)
        assert self.process.exitcode == 0
        return last

    def stops(self) -> Any:
        """Tell it to stop; return what it tells then."""
        self.pipe.send("stop")
        return self.ends()


def _spared(target: Callable[..., None], *arguments: object) -> None:
    spare_the_processor()
    target(*arguments)


@dataclass
class Sent:
    """Events that were landed by hand, and the files they are in."""

    settings: Settings
    ids: dict[str, list[str]] = field(default_factory=lambda: {call: [] for call in CALLS})
    files: list[str] = field(default_factory=list)

    def land(
        self, files: int, lines: int = 5, calls: tuple[str, ...] = CALLS, **more: object
    ) -> None:
        """Land that many files of new events, call by call in turn, and one rejected line each.

        Args:
            files: how many.
            lines: events in each.
            calls: which calls they are of.
            more: further fields of each event.
        """
        for number in range(files):
            call = calls[number % len(calls)]
            ids = [f"{call}-{len(self.ids[call]) + n}" for n in range(lines)]
            events = [{"type": call, "messageId": one, "n": 1} | more for one in ids]
            path = landed.land(
                self.settings.landing, call, *map(landed.line, events), b"damaged line\n"
            )
            self.ids[call] += ids
            self.files.append(path.name)

    def missing(self) -> dict[str, object]:
        """What was landed and is not loaded exactly once; empty once all is."""
        with reading(self.settings) as con:
            faults = _ledger_faults(con)
            for call in CALLS:
                rows = con.execute(f'select message_id from raw."{call}"').fetchall()
                if sorted(one for (one,) in rows) != sorted(self.ids[call]):
                    faults[call] = f"{len(rows)} rows of {len(self.ids[call])} events"
            files = con.execute("select file from raw.landed_file").fetchall()
            if sorted(one for (one,) in files) != sorted(self.files):
                faults["files"] = f"{len(files)} in the ledger of {len(self.files)}"
            # counted in the same transactions
            counted = con.execute("select sum(count) from raw.field where path = 'n'").fetchall()
            if counted != [(sum(map(len, self.ids.values())),)]:
                faults["counted"] = counted
        return faults


_ROWS = " union all ".join(f'select file, line from raw."{call}"' for call in CALLS)

_DIFFERENCES = f"""
    with
    loaded as (
        select file, count(*) as rows, count(distinct line) as lines from ({_ROWS}) group by file
    ),
    rejected as (
        select file, count(*) as rows, count(distinct line) as lines
        from raw.rejected group by file
    ),
    ledger as (
        select file, sum(rows) as rows, sum(rejected) as rejected, count(*) as times
        from raw.landed_file group by file
    )
    select file, ledger.times, ledger.rows, loaded.rows, loaded.lines, ledger.rejected,
        rejected.rows, rejected.lines
    from ledger full join loaded using (file) full join rejected using (file)
    where ledger.times is distinct from 1
        or coalesce(loaded.rows, 0) <> ledger.rows or coalesce(loaded.lines, 0) <> ledger.rows
        or coalesce(rejected.rows, 0) <> ledger.rejected
        or coalesce(rejected.lines, 0) <> ledger.rejected
"""


def _ledger_faults(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    found = con.execute(_DIFFERENCES).fetchall()
    return {"ledger and rows differ": found} if found else {}


def ledger_faults(settings: Settings) -> dict[str, object]:
    """Where ledger, rows and rejects do not agree; empty if they do."""
    with reading(settings) as con:
        return _ledger_faults(con)


def in_ledger(settings: Settings) -> set[str]:
    """The names of the files that are loaded."""
    return {name for (name,) in rows(settings, "select file from raw.landed_file")}


def waiting(settings: Settings) -> set[str]:
    """The names of the files that wait."""
    return {file.name for file in sealed_files(settings.landing)}


def sleep_at_random(chance: random.Random, seconds: float) -> None:
    """Let a process get to any point of what takes it so long."""
    time.sleep(chance.uniform(0, seconds))


def forms(
    short: int, long: int, minutes: int, what: str = "kills", *, in_test_long: bool = False
) -> Any:
    """How often a fault is injected: in `make test`, or `make test-long`, and in `make chaos`."""
    marks = [pytest.mark.long] if in_test_long else []
    return pytest.mark.parametrize(
        what,
        [
            pytest.param(short, id="short", marks=marks),
            pytest.param(long, id="long", marks=[pytest.mark.chaos, _minutes(minutes)]),
        ],
    )


def _minutes(minutes: int) -> pytest.MarkDecorator:
    return pytest.mark.timeout(60 * minutes)
