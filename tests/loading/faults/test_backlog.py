"""F29: a backlog of very many files. It is seen at once, drained in flat memory, and shown."""

import itertools
import time
from pathlib import Path

import dagster as dg
import pytest

from orchestration.settings import Settings
from tests.defs.test_sensor import tick, wanted
from tests.support import landed
from tests.support.faults.killed_loads import Child, ledger_faults, waiting
from tests.support.faults.load_children import load_and_log
from tests.support.faults.report import Report
from tests.support.warehouse import rows

EVENTS = 2
MB = 1024 * 1024
MORE_MEMORY = 256 * MB
"""For the Python objects of one transaction, whose size does not depend on the backlog."""

SILENCE = 30
"""Seconds after which a person wonders whether it still works."""

number = itertools.count()


def land(settings: Settings, files: int) -> None:
    """Land small files, as a receiver does that seals every other second."""
    for _ in range(files):
        ids = (f"m{next(number)}" for _ in range(EVENTS))
        events = [{"type": "track", "messageId": one, "properties": {"n": 1}} for one in ids]
        landed.land(settings.landing, "track", *map(landed.line, events))


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """What the load says, a time before each line."""
    return tmp_path / "log"


def longest_silence(log: Path, began: float, ended: float) -> float:
    times = [began, *(float(line.split()[0]) for line in log.read_text().splitlines()), ended]
    return max(after - before for before, after in itertools.pairwise(times))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
        pytest.param(100_000, marks=[pytest.mark.chaos, pytest.mark.timeout(3600)]),
    ],
)
def test_a_backlog_is_seen_within_a_tick_and_drained_in_flat_memory(
    settings: Settings, logged: Path, report: Report, files: int
) -> None:
    land(settings, 100)
    small = Child(load_and_log, settings, logged).ends()
    logged.unlink()
    instance = dg.DagsterInstance.ephemeral()
    tick(instance)  # what the first one costs is not the backlog's
    land(settings, files)

    began = time.monotonic()
    asked = wanted(tick(instance))
    tick_seconds = time.monotonic() - began
    began = time.time()
    large = Child(load_and_log, settings, logged).ends(3600)
    ended = time.time()

    report.add(
        "F29",
        f"{files:,} files wait",
        tick=f"{tick_seconds:.1f} s",
        drained_after=f"{ended - began:.0f} s",
        memory_more_than_for_100=f"{(large - small) // MB} MiB",
        longest_silence=f"{longest_silence(logged, began, ended):.0f} s",
    )
    assert "raw/track" in asked
    assert tick_seconds < 5
    assert waiting(settings) == set()
    assert ledger_faults(settings) == {}
    assert rows(settings, "select count(*), count(distinct message_id) from raw.track") == [
        (EVENTS * (files + 100), EVENTS * (files + 100))
    ]
    assert large - small < MORE_MEMORY
    assert longest_silence(logged, began, ended) < SILENCE
