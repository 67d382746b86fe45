"""What was answered and not stored is counted by source, and the counts outlive the process."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from landed import not_stored
from landed.folders import NOT_STORED
from receiver.files.not_stored import THROTTLED, NotStoredCounts
from receiver.state import receiver_of
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.server import RunningReceiver

HOUR = datetime(2026, 11, 22, 23, tzinfo=UTC)
SHUT_OUT = {"type": "track", "integrations": {"All": False}}


def lately(landing: Path) -> not_stored.Counts:
    return not_stored.read(landing, datetime.now(UTC) - timedelta(hours=1), 2)


def test_counts_of_an_hour_add_up(tmp_path: Path) -> None:
    not_stored.add(tmp_path, HOUR, {"web": {"shut_out": 2}})
    not_stored.add(
        tmp_path, HOUR, {"web": {"shut_out": 1, "suppressed": 4}, "app": {"shut_out": 8}}
    )

    assert not_stored.read(tmp_path, HOUR, 1) == {
        "web": {"shut_out": 3, "suppressed": 4},
        "app": {"shut_out": 8},
    }


def test_each_hour_has_counts_of_its_own(tmp_path: Path) -> None:
    not_stored.add(tmp_path, HOUR, {"web": {"shut_out": 2}})
    not_stored.add(tmp_path, HOUR + timedelta(hours=1), {"web": {"shut_out": 3}})  # of the next day

    assert not_stored.read(tmp_path, HOUR, 1) == {"web": {"shut_out": 2}}
    assert not_stored.read(tmp_path, HOUR, 2) == {"web": {"shut_out": 5}}
    assert not_stored.read(tmp_path, HOUR - timedelta(hours=1), 1) == {}


def test_processes_that_add_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        for _ in range(40):
            threads.submit(not_stored.add, tmp_path, HOUR, {"web": {"shut_out": 1}})

    assert not_stored.read(tmp_path, HOUR, 1) == {"web": {"shut_out": 40}}


@pytest.mark.parametrize("damaged", [b'{"web": [', b'{"\xff": {}}', b"", b"[1]"])
def test_a_file_that_somebody_damaged_stops_no_count(tmp_path: Path, damaged: bytes) -> None:
    not_stored.add(tmp_path, HOUR, {"web": {"shut_out": 1}})
    (tmp_path / NOT_STORED / "2026-11-22.json").write_bytes(damaged)

    not_stored.add(tmp_path, HOUR, {"web": {"shut_out": 2}})

    assert not_stored.read(tmp_path, HOUR, 1) == {"web": {"shut_out": 2}}


def test_what_cannot_be_written_is_kept_for_the_next_time(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    counts = NotStoredCounts(landing, 3600)
    counts.note("web", "shut_out", 2)
    counts.write()  # there is no such folder
    landing.mkdir()
    counts.note("web", "shut_out")

    counts.write()

    assert lately(landing) == {"web": {"shut_out": 3}}


def test_who_shuts_us_out_is_counted_by_source(make_app: Callable[..., AppReceiver]) -> None:
    receiver = make_app()
    batch = {"batch": [SHUT_OUT, SHUT_OUT, {"type": "track"}]}

    receiver.post("/v1/batch", json.dumps(batch))
    receiver_of(receiver.app).not_stored.write()

    assert lately(receiver.landing) == {"web": {"shut_out": 2}}


def test_requests_over_a_quota_are_counted(make_app: Callable[..., AppReceiver]) -> None:
    receiver = make_app(source_events_per_second=1)

    answers = [receiver.post("/v1/track", "{}").status_code for _ in range(40)]
    receiver_of(receiver.app).not_stored.write()

    assert lately(receiver.landing) == {"web": {THROTTLED: answers.count(429)}}
    assert answers.count(429)


def test_a_server_that_is_stopped_has_written_all_of_them(
    start_receiver: Callable[..., RunningReceiver],
) -> None:
    receiver = start_receiver(workers=2, seal_seconds=3600)
    for _ in range(5):
        receiver.post("/v1/track", json.dumps(SHUT_OUT))

    receiver.stop()

    assert lately(receiver.landing) == {"web": {"shut_out": 5}}
