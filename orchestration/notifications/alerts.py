"""What an operator is told: runs that failed, checks that fail, and checks that are well again."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

SLACK = "hooks.slack.com"
"""Slack's host takes a text and nothing else."""


class Failure(NamedTuple):
    """A run that failed."""

    job: str
    run_id: str
    url: str
    """Where Dagster's UI shows it."""


class CheckState(NamedTuple):
    """What a check has found last."""

    name: str
    asset: str
    passed: bool
    description: str
    """What is wrong, in its words."""


class Changes(NamedTuple):
    """What is new since the last message."""

    failures: list[Failure]
    failing: list[CheckState]
    well_again: list[CheckState]

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.failures or self.failing or self.well_again)


def changes(
    failures: Iterable[Failure], states: Mapping[str, CheckState], failed_before: Iterable[str]
) -> Changes:
    """Compare what checks say now with what they said.

    Args:
        failures: The runs that failed since.
        states: Each check's, by its key.
        failed_before: The keys of those that failed when they were told of last.
    """
    before = set(failed_before)
    now = {key for key, state in states.items() if not state.passed}
    return Changes(
        list(failures),
        [states[key] for key in sorted(now - before)],
        [states[key] for key in sorted(before - now) if key in states],
    )


def message(url: str, found: Changes, integration_name: str) -> dict[str, Any]:
    """Return what is sent to an address: a text, and for others than Slack the same in fields."""
    lines = [f"Seamline ({integration_name})"]
    lines += [f"Run of {one.job} failed: {one.url}" for one in found.failures]
    lines += [
        f"{one.name} on {one.asset} does not pass: {one.description}".rstrip(": ")
        for one in found.failing
    ]
    lines += [f"{one.name} on {one.asset} passes again" for one in found.well_again]
    text = {"text": "\n".join(lines)}
    if urlsplit(url).hostname == SLACK:
        return text
    return text | {
        "integration_name": integration_name,
        "failed_runs": [one._asdict() for one in found.failures],
        "failing_checks": [one._asdict() for one in found.failing],
        "passing_checks": [one._asdict() for one in found.well_again],
    }
