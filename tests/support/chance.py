"""Chance that can be had again: FAULT_SEED, or a new one that a run names in its first lines."""

import os
import random
import secrets

import pytest

_VARIABLE = "FAULT_SEED"


def pytest_configure() -> None:
    """Choose the run's seed; the processes that xdist starts inherit it."""
    os.environ.setdefault(_VARIABLE, str(secrets.randbelow(10**6)))


def pytest_report_header() -> str:
    """Name the seed."""
    return f"{_VARIABLE}={os.environ[_VARIABLE]} repeats what this run leaves to chance"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the seed again where something has failed."""
    if terminalreporter.stats.get("failed"):
        terminalreporter.line(pytest_report_header())


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance of a test's own."""
    return random.Random(f"{os.environ[_VARIABLE]} {request.node.nodeid}")  # noqa: S311
