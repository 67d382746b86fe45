"""Metrics: what all workers have counted, and how the landing folder stands."""

import atexit
import json
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from receiver.files import backlog
from receiver.files.backlog import Backlog, backlog_of
from receiver.http.tracking import CALLS_BY_NAME
from receiver.server import metrics_folder
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

EVENT_ROUTE = f"/v1/<any({','.join(CALLS_BY_NAME)}):name>"

Samples = dict[tuple[str, frozenset[str]], float]


def samples_of(running: Landing) -> Samples:
    """Return what `/metrics` says: by name and the values of the labels."""
    answer = running.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, *labels: str) -> float:
    return samples.get((f"seamline_{name}", frozenset(labels)), 0)


def workers_that_answered(running: RunningReceiver) -> set[str]:
    """Return the workers that have landed something: each has files of its own."""
    return {path.name.split("-")[2] for path in running.landing.glob("*/*.ndjson*")}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver of two workers, both of which have landed events."""
    running = RunningReceiver(tmp_path_factory.mktemp("busy"), seal_seconds=60, workers=2)
    assert eventually(
        lambda: (
            running.post("/v1/track", "{}").is_success and len(workers_that_answered(running)) == 2
        )
    )
    yield running
    running.kill()


def test_what_workers_count_is_added_up(busy: RunningReceiver) -> None:
    before = samples_of(busy)
    for _ in range(10):
        busy.post("/v1/batch", '{"batch":[{"type":"page"},{"type":"page"},{"type":"?"}]}')
    busy.post("/v1/track", "{}", headers={})
    busy.get("/nowhere")
    after = samples_of(busy)

    def grown(name: str, *labels: str) -> float:
        return value(after, name, *labels) - value(before, name, *labels)

    assert grown("requests_total", "/v1/batch", "2xx") == 10
    assert grown("requests_total", EVENT_ROUTE,
                 "4xx") == 1  # fmt: skip
    assert grown("requests_total", "none", "4xx") == 1
    assert grown("events_total", "page", "web") == 20
    assert grown("rejected_total", "unknown_type", "web") == 10
    assert grown("request_events_count") == 10
    assert grown("request_events_sum") == 30
    assert grown("request_events_bucket", "2.0") == 0
    assert grown("request_events_bucket", "5.0") == 10
    assert grown("commit_events_sum") == 30
    assert 1 <= grown("commit_seconds_count") <= 10
    assert 0 < grown("commit_seconds_sum") < 10
    assert value(after, "queue_events") == value(after, "queue_bytes") == 0


def test_events_are_counted_once_they_are_on_the_disk_and_not_before(
    make_app: Callable[..., AppReceiver],
) -> None:
    full = make_app(reserve_bytes=10**18)
    assert full.post("/v1/track", "{}").status_code == 503

    samples = samples_of(full)

    assert value(samples, "events_total", "track", "web") == 0
    assert value(samples, "commit_seconds_count") == 0
    assert value(samples, "reserve_bytes") == 10**18 > value(samples, "free_bytes") > 0


def test_a_worker_that_died_takes_no_counts_with_it(busy: RunningReceiver) -> None:
    before = samples_of(busy)
    for worker in (workers := busy.workers()):
        os.kill(worker, signal.SIGKILL)

    assert eventually(lambda: len(set(busy.workers()) - set(workers)) == 2)
    assert eventually(lambda: busy.get("/health/ready").is_success)
    assert busy.post("/v1/track", "{}").is_success
    track = ("events_total", "track", "web")
    assert value(samples_of(busy), *track) == value(before, *track) + 1


def test_the_backlog_is_what_is_sealed_and_not_loaded(make_app: Callable[..., AppReceiver]) -> None:
    running = make_app(seal_seconds=0.05)
    running.post("/v1/track", "{}")
    assert eventually(lambda: value(samples_of(running), "backlog_files", "track") == 1)
    aged = eventually(lambda: value(samples_of(running), "backlog_age_seconds", "track") > 0.1)
    (sealed,) = (running.landing / "track").glob("*.ndjson")
    (running.landing / "loaded" / "track").mkdir(parents=True)
    sealed.rename(running.landing / "loaded" / "track" / sealed.name)

    assert aged
    assert value(samples_of(running), "backlog_files", "track") == 0
    assert value(samples_of(running), "backlog_age_seconds", "track") == 0


def test_a_large_backlog_is_not_counted_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "MOST_ENTRIES", 10)
    start = datetime.now(UTC) - timedelta(hours=1)
    for number in range(20):
        (tmp_path / f"{start:%Y%m%dT%H%M%S%fZ}-host-1-00-{number:06d}.ndjson").touch()

    found = backlog_of(tmp_path)

    assert found.files == 10
    assert 3600 <= found.age_seconds < 3700
    assert backlog_of(tmp_path / "missing") == Backlog()


def test_a_name_of_somebody_else_has_no_age(tmp_path: Path) -> None:
    (tmp_path / "notes.ndjson").touch()

    assert backlog_of(tmp_path) == Backlog(1, 0)


def test_metrics_hold_nothing_that_was_sent(app: AppReceiver) -> None:
    secret = new_id()
    app.post("/v1/track", json.dumps({"event": secret, "messageId": secret, "type": secret}))
    app.post(f"/{secret}?{secret}", secret)
    app.post(f"/webhooks/{secret}", secret)

    page = app.get("/metrics").text

    assert secret not in page
    assert 'seamline_build_info{python="' in page


def in_a_fork(work: Callable[[], None]) -> int:
    """Do something in a process of its own; return how that ended."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def test_the_processes_folder_is_private_and_goes_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_folder, "_MEMORY", tmp_path)
    monkeypatch.delenv(metrics_folder.FOLDER_VARIABLE, raising=False)
    folder = f"{metrics_folder._PREFIX}*"  # noqa: SLF001

    def is_killed() -> None:
        metrics_folder.prepare_metrics_folder()
        os.kill(os.getpid(), signal.SIGKILL)

    def lives() -> None:
        metrics_folder.prepare_metrics_folder()
        (fresh,) = tmp_path.glob(folder)
        assert fresh != left
        assert fresh.stat().st_mode & 0o777 == 0o700
        atexit._run_exitfuncs()  # noqa: SLF001 - what a process that ends does

    assert in_a_fork(is_killed) == signal.SIGKILL
    (left,) = tmp_path.glob(folder)
    assert in_a_fork(lives) == 0
    assert not list(tmp_path.glob(folder))
