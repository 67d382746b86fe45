"""Tests with programs that are not Python's: left out, unless they are asked for.

They are marked `integration`. `make test-integration` asks for them, and .ci/run.
"""

from pathlib import Path

import pytest

_SCHEMATHESIS = "test_schemathesis.py"
_LEFT_OUT = (
    "LEFT OUT, as it is marked integration: Segment's JavaScript SDKs in Node and Chromium, nginx, "
    "an object store, schemathesis. `make test-integration` runs them."
)


def _is_left_out(config: pytest.Config) -> bool:
    return "not integration" in config.option.markexpr


def pytest_configure(config: pytest.Config) -> None:
    """Load schemathesis where its tests run: everywhere else it costs each process a second."""
    if "integration" in config.option.markexpr and not _is_left_out(config):
        config.pluginmanager.import_plugin("schemathesis.pytest.plugin")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read the file that only schemathesis can read."""
    is_loaded = config.pluginmanager.has_plugin("schemathesis.pytest.plugin")
    return True if collection_path.name == _SCHEMATHESIS and not is_loaded else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out."""
    if _is_left_out(terminalreporter.config):
        terminalreporter.line(_LEFT_OUT)
