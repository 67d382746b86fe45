"""What was injected and what was lost, as a table at the end of a run."""

from collections.abc import Iterator

import pytest


class Report:
    """Rows of the table, in the order the tests ran."""

    rows: list[tuple[str, str, str]]

    def __init__(self) -> None:
        """Start without any."""
        self.rows = []

    def add(self, case: str, fault: str, **figures: object) -> None:
        """Add a row: the case's number, what was done, and the figures that came of it."""
        shown = ", ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in figures.items())
        self.rows.append((case, fault, shown))


_KEY = pytest.StashKey[Report]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Take a test's rows, if it came to its end."""
    rows = Report()
    yield rows
    request.config.stash.setdefault(_KEY, Report()).rows.extend(rows.rows)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    collected = terminalreporter.config.stash.get(_KEY, Report()).rows
    if not collected:
        return
    terminalreporter.section("faults injected")
    terminalreporter.line("| case | fault | figures |")
    terminalreporter.line("|---|---|---|")
    for row in sorted(collected):
        terminalreporter.line("| " + " | ".join(row) + " |")
