"""F14: the end of the catalog's write-ahead log is lost or garbage. It opens as it was before."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support.faults.killed_loads import (
    Child,
    Sent,
    forms,
    in_ledger,
    ledger_faults,
    waiting,
)
from tests.support.faults.load_children import keep_the_catalog_open
from tests.support.faults.report import Report
from tests.support.forked import run_command

LOADS = 4
Damage = Callable[[bytearray, int], bytearray]


def cut(log: bytearray, at: int) -> bytearray:
    return log[:at]


def flip(log: bytearray, at: int) -> bytearray:
    log[at] ^= 1
    return log


@pytest.fixture
def warehouse_of_a_killed_load(
    settings: Settings, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of a warehouse whose last loads are in the write-ahead log only."""
    monkeypatch.setenv("SEAMLINE_LOAD_BYTES", "1")
    load(settings)
    other = Child(keep_the_catalog_open, settings)
    sent.land(LOADS, calls=("track",))
    load(Settings())
    other.kill()
    return settings.catalog.parent


@pytest.mark.any_one
@forms(short=5, long=300, minutes=20, what="times")
@pytest.mark.parametrize("damage", [cut, flip])
def test_with_a_damaged_log_the_catalog_opens_with_whole_loads_only(
    settings: Settings,
    warehouse_of_a_killed_load: Path,
    sent: Sent,
    report: Report,
    damage: Damage,
    times: int,
) -> None:
    saved = shutil.copytree(warehouse_of_a_killed_load, settings.landing.parent / "saved")
    catalog, log = settings.catalog, settings.catalog.with_name(f"{settings.catalog.name}-wal")
    whole = (saved / log.name).read_bytes()
    assert len(whole) > 4096
    chance = random.Random(times)  # noqa: S311
    places = [len(whole) - n for n in range(1, 4)]
    places += [chance.randrange(len(whole)) for _ in range(times - len(places))]
    opened_with = set()
    for at in places:
        catalog.with_name(f"{catalog.name}-shm").unlink(missing_ok=True)
        shutil.copyfile(saved / catalog.name, catalog)
        log.write_bytes(damage(bytearray(whole), at))
        assert ledger_faults(settings) == {}
        opened_with.add(frozenset(in_ledger(settings)))
    assert opened_with <= {frozenset(sent.files[:n]) for n in range(LOADS + 1)}
    assert len(opened_with) > 1
    report.add("F14", f"write-ahead log: {damage.__name__}", places=len(places), half_loads=0)


@pytest.mark.parametrize("size", [pytest.param(100, marks=pytest.mark.long), 4096])
def test_a_catalog_that_is_no_database_is_said_in_one_line(
    settings: Settings, sent: Sent, size: int
) -> None:
    settings.catalog.parent.mkdir()
    settings.catalog.write_bytes(b"x" * size)
    sent.land(1)

    loading = run_command(["load"], os.environ)

    assert loading.returncode == 1
    assert len(loading.stderr.splitlines()) == 1
    assert str(settings.catalog) in loading.stderr
    assert waiting(settings) == set(sent.files)
