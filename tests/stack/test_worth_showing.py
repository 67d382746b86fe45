"""`make run` says what is worth a person's eye, and keeps the rest in files."""

import json
import stat
from pathlib import Path

import pytest

from stack import log_files
from stack.log_files import LogFiles
from stack.output import show_what_matters
from stack.worth_showing import QUIET_SECONDS, WorthShowing

RUN = "5d56e756-8879-44f9-9222-8f23dabe5f97"


def receiver(event: str = "request", level: str = "info", **more: object) -> str:
    return json.dumps(more | {"event": event, "level": level, "timestamp": "2026-11-22T05:24:46Z"})


def dagster(text: str, level: str = "DEBUG", logger: str = "dagster") -> str:
    return f"2026-11-22 05:24:46 +0000 - {logger} - {level} - {text}"


@pytest.mark.parametrize(
    ("name", "line", "shown"),
    [
        ("receiver", receiver(status=200, events=1), None),
        ("receiver", receiver("Booting worker with pid: 475"), None),
        ("receiver", receiver(status=400), None),
        (
            "receiver",
            receiver(status=401, route="/v1/track"),
            "a request with unknown credentials was answered 401",
        ),
        ("receiver", receiver(status=503), "requests are answered 503"),
        (
            "receiver",
            receiver("throttled", "warning", source="web", requests=3),
            "warning: throttled source=web requests=3",
        ),
        ("receiver", "Traceback (most recent call last):", "Traceback (most recent call last):"),
        ("receiver", "[1]", "[1]"),
        ("receiver", "", None),
        ("fetch", "Fetched 3 files from s3://bucket", None),
        ("fetch", "SEAMLINE_LANDING_REMOTE: no answer", "SEAMLINE_LANDING_REMOTE: no answer"),
        ("dagster-daemon", dagster(f"load - {RUN} - 34 - RUN_START - Started"), None),
        (
            "dagster-daemon",
            dagster(f"load - {RUN} - load_landed_files - Loaded 3 files: 240 page", "INFO"),
            "Loaded 3 files: 240 page",
        ),
        (
            "dagster-daemon",
            dagster(
                f"load - {RUN} - 34 - completeness - ASSET_CHECK_EVALUATION - "
                "Asset check 'sums' on 'segment/completeness' did not pass."
            ),
            "Asset check 'sums' on 'segment/completeness' did not pass.",
        ),
        (
            "dagster-daemon",
            dagster(f"load - {RUN} - 34 - RUN_FAILURE - Execution failed.", "ERROR"),
            "load: Execution failed.",
        ),
        (
            "dagster-daemon",
            dagster("Sensor daemon caught an error", "ERROR", "dagster.daemon.SensorDaemon"),
            "Sensor daemon caught an error",
        ),
        ("dagster-daemon", dagster("Checking", "INFO", "dagster.daemon.SensorDaemon"), None),
        ("dagster-daemon", '  File "api.py", line 742', None),
        ("prepare", "06:10:04  Done. PASS=28", None),
    ],
)
def test_a_line_is_shown_if_it_matters(name: str, line: str, shown: str | None) -> None:
    assert WorthShowing().of(name, line) == shown


def test_the_same_is_said_once_a_minute_with_how_often_it_was() -> None:
    now = [0.0]
    worth = WorthShowing(lambda: now[0])
    line = receiver(status=401)

    said = [worth.of("receiver", line) for _ in range(4)]
    now[0] = QUIET_SECONDS
    later = worth.of("receiver", line)

    assert said[1:] == [None, None, None]
    assert later == f"{said[0]} (and 3 more like it since)"


def test_each_load_is_said() -> None:
    worth = WorthShowing()
    line = dagster(f"load - {RUN} - load_landed_files - Loaded 1 files: 1 page", "INFO")

    assert worth.of("dagster-daemon", line) == worth.of("dagster-daemon", line) is not None


def test_all_lines_are_in_files_that_only_their_owner_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show = show_what_matters(LogFiles(tmp_path / "logs"))

    show("receiver", receiver(status=200))
    show("receiver", receiver(status=401))
    show("prepare", "é\udcff")

    assert len((tmp_path / "logs" / "receiver.log").read_text().splitlines()) == 2
    assert (tmp_path / "logs" / "prepare.log").read_text() == "é?\n"
    assert capsys.readouterr().out.count("\n") == 1
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700


def test_files_do_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_files, "FILE_BYTES", 1000)
    files = LogFiles(tmp_path)

    for number in range(1000):
        files.write("receiver", f"line {number}")

    there = sorted(path.name for path in tmp_path.iterdir())
    assert there == ["receiver.log", "receiver.log.1", "receiver.log.2", "receiver.log.3"]
    assert "line 999" in (tmp_path / "receiver.log").read_text()


def test_a_file_that_cannot_be_written_stops_nothing_and_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "receiver.log").mkdir()
    files = LogFiles(tmp_path)

    files.write("receiver", "one")
    files.write("receiver", "two")

    assert capsys.readouterr().err.count("is not written") == 1
