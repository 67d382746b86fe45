"""Fixtures every room's tests share."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hypothesis
import pytest
import structlog

from orchestration.loading import warehouse
from orchestration.settings import Settings

pytest.register_assert_rewrite("tests.support")

pytest_plugins = [
    "tests.support.fault_report",
    "tests.support.fault_shim",
    "tests.support.integration",
    "tests.support.lake",
    "tests.support.made_house",
    "tests.support.receiver",
]

# An example may take as long as it does: other work may be busy beside.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")

# With every connection DuckDB hashes its extensions to check their signature: half a second of
# processor. The processes that tests start check it, as ever.
warehouse.CONFIG["allow_unsigned_extensions"] = True

# Tests stop what they started as ctrl-c does. A shell that starts this in the background has the
# signal ignored, and every process would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure() -> None:
    """Choose where faults strike in this run, before its workers start, so that all know it."""
    os.environ.setdefault("TEST_SEED", str(random.SystemRandom().randrange(10_000)))


def pytest_report_header() -> str:
    """Say how to have the same faults again."""
    return f"TEST_SEED={os.environ['TEST_SEED']} (where faults strike)"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What chooses where a fault strikes in a test; the same with the same TEST_SEED."""
    seed = os.environ["TEST_SEED"]
    print(f"TEST_SEED={seed}")  # noqa: T201 - shown where a test fails
    return random.Random(f"{seed} {request.node.nodeid}")  # noqa: S311 - places, no secrets


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty house in a folder of the test's own, in the environment too."""
    for name, value in {
        "SEAMLINE_LANDING": tmp_path / "landing",
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{tmp_path}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": tmp_path / "sources.toml",
        "SEAMLINE_COLUMNS": tmp_path / "columns.yml",
        "DAGSTER_HOME": tmp_path / "dagster",
    }.items():
        monkeypatch.setenv(name, str(value))
    return Settings()


@pytest.fixture(scope="session", autouse=True)
def _uncached_loggers() -> Iterator[None]:
    """Let whoever logs look anew where to: a test's process is not one receiver's alone."""
    configure = structlog.configure

    def configured(**how: Any) -> None:
        configure(**(how | {"cache_logger_on_first_use": False}))

    with patch("structlog.configure", configured):
        yield
