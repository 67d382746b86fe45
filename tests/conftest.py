"""Fixtures that all tests share."""

import gc
import os
import random
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
import structlog

from landed import files
from tests.support.warehouse import spare_the_processor

pytest_plugins = [
    "tests.support.faults.report",
    "tests.support.faults.shim",
    "tests.support.house",
    "tests.support.integration",
    "tests.support.postgres",
    "tests.support.receiver.fixtures",
]

# An example may take as long as it does: other work may be busy beside. There are others in each
# run; `--hypothesis-profile deep` tries many at once.
hypothesis.settings.register_profile("short", deadline=None, max_examples=30)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("short")

spare_the_processor()

# Tests stop what they started as ctrl-c does. A shell that starts this in the background has the
# signal ignored, and every process would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Choose what the processes of this run share, before they start.

    TEST_SEED says where faults strike; in TEST_RUN_FOLDER is the way to a warm process.
    """
    os.environ.setdefault("TEST_SEED", str(random.SystemRandom().randrange(10_000)))
    if "TEST_RUN_FOLDER" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="seamline-tests-")
        os.environ["TEST_RUN_FOLDER"] = folder.name
        config.add_cleanup(folder.cleanup)


ORDER = ("receiver", "stack", "erasure", "models", "upkeep", "recovery", "loading")
LAST = ("demo", "docs", "landed", "seamline")


@pytest.hookimpl(tryfirst=True)  # what marks leave out is left out after it
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the receiver, then what takes long; what takes no time fills up the end.

    The receiver wants no house, and meanwhile one is prepared for all others. The stack mostly
    waits for what it has started, so others work beside it.
    """

    def place(item: pytest.Item) -> int:
        area = item.nodeid.split("/")[1]
        found = ORDER.index(area) if area in ORDER else len(ORDER)
        return found + (area in LAST)

    items.sort(key=place)
    _choose_one_of_each(items, asked_for=config.option.markexpr)


def _choose_one_of_each(items: list[pytest.Item], asked_for: str) -> None:
    cases = defaultdict(list)
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if "any_one" in marks and not marks & {"long", "chaos"}:
            cases[item.nodeid.partition("[")[0]].append(item)
    for test, of_test in cases.items():
        chosen = random.Random(f"{os.environ['TEST_SEED']} {test}").choice(of_test)  # noqa: S311
        for item in of_test:
            if item is not chosen or "not long" not in asked_for:
                item.add_marker(pytest.mark.long)


def pytest_collection_finish() -> None:
    """Spare the collector what is imported by now and stays: half a million objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)  # most of what a test makes goes without it


def pytest_report_header() -> str:
    """Say how to have the same faults again."""
    return f"TEST_SEED={os.environ['TEST_SEED']} (where faults strike, which case is run of some)"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What chooses where a fault strikes in a test; the same with the same TEST_SEED."""
    seed = os.environ["TEST_SEED"]
    print(f"TEST_SEED={seed}")  # noqa: T201 - shown where a test fails
    return random.Random(f"{seed} {request.node.nodeid}")  # noqa: S311 - places, no secrets


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """What this process brings to the disk, of the warehouse and of the landing folder."""
    sync = files._sync  # noqa: SLF001 - what files and folders both go through
    done: set[Path] = set()
    monkeypatch.setattr(files, "_sync", lambda path, flags: (sync(path, flags), done.add(path)))
    return done


@pytest.fixture(scope="session", autouse=True)
def _uncached_loggers() -> Iterator[None]:
    """Let whoever logs look anew where to: a test's process is not one receiver's alone."""
    configure = structlog.configure

    def configured(**how: Any) -> None:
        configure(**(how | {"cache_logger_on_first_use": False}))

    with patch("structlog.configure", configured):
        yield
