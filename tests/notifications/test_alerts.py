"""What an operator is told, and when nothing is."""

import pytest

from orchestration.notifications.alerts import Changes, CheckState, Failure, changes, message

GOOD = CheckState("files_wait", "landing", passed=True, description="")
BAD = CheckState("files_wait", "landing", passed=False, description="3 files wait")
FAILED = Failure("load", "r-1", "http://127.0.0.1:3000/runs/r-1")


@pytest.mark.parametrize(
    ("state", "failed_before", "failing", "well_again"),
    [
        (BAD, [], [BAD], []),
        (BAD, ["key"], [], []),
        (GOOD, ["key"], [], [GOOD]),
        (GOOD, [], [], []),
        (GOOD, ["gone"], [], []),
    ],
)
def test_a_check_is_told_of_when_it_changes(
    state: CheckState,
    failed_before: list[str],
    failing: list[CheckState],
    well_again: list[CheckState],
) -> None:
    found = changes([], {"key": state}, failed_before)

    assert (found.failing, found.well_again) == (failing, well_again)
    assert found.is_nothing == (not failing and not well_again)


def test_a_message_says_what_and_where() -> None:
    told = message("https://alerts.example/x", Changes([FAILED], [BAD], [GOOD]), "Segment")

    assert told["text"].splitlines() == [
        "Seamline (Segment)",
        "Run of load failed: http://127.0.0.1:3000/runs/r-1",
        "files_wait on landing does not pass: 3 files wait",
        "files_wait on landing passes again",
    ]
    assert told["failed_runs"][0]["job"] == "load"
    assert told["failing_checks"][0]["description"] == "3 files wait"


def test_slack_gets_a_text_alone() -> None:
    told = message("https://hooks.slack.com/services/T/B/x", Changes([FAILED], [], []), "Segment")

    assert told.keys() == {"text"}
