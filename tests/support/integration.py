"""Tests with programs that are not Python's: left out, unless they are asked for.

They are marked `integration`. `make test-integration` asks for them, and .ci/run.
"""

import re
from pathlib import Path

import pytest

_SCHEMATHESIS = "test_schemathesis.py"
_ALL_OF_IT = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.(integration|scale)\b", re.MULTILINE)
_LEFT_OUT = (
    "LEFT OUT, as it is marked integration: Segment's JavaScript SDKs in Node and Chromium, nginx, "
    "an object store, schemathesis. `make test-integration` runs them. What is marked scale, real "
    "servers of other kinds, `make test-scale` runs."
)


def _is_left_out(config: pytest.Config) -> bool:
    return "not integration" in config.option.markexpr


def _is_asked_for(config: pytest.Config) -> bool:
    return "integration" in config.option.markexpr and not _is_left_out(config)


def pytest_configure(config: pytest.Config) -> None:
    """Load schemathesis where its tests run: everywhere else it costs each process a second."""
    if _is_asked_for(config):
        config.pluginmanager.import_plugin("schemathesis.pytest.plugin")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read files whose `pytestmark` says that none of their tests would run.

    Nor, unless integration is asked for, the file that only schemathesis can read.
    """
    if _is_asked_for(config) or not collection_path.match("test_*.py"):
        return None
    if collection_path.name == _SCHEMATHESIS:
        return True
    all_of_it = _ALL_OF_IT.search(collection_path.read_text()) if config.option.markexpr else None
    if all_of_it and all_of_it[1] not in _asked_for(config):
        return True
    return None


def _asked_for(config: pytest.Config) -> set[str]:
    marks = ("integration", "scale")
    markexpr = config.option.markexpr
    return {mark for mark in marks if mark in markexpr and f"not {mark}" not in markexpr}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if _is_left_out(terminalreporter.config):
        terminalreporter.line(_LEFT_OUT)
