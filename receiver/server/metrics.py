"""Metrics: what the receiver's processes count, for Prometheus.

Labels hold names of routes, calls, reasons and sources, and nothing of any event.

prometheus-client looks for the folder that processes share when it is imported, so this
module is imported by a worker, once `receiver.server.metrics_folder` has named it.
"""

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib.metadata import version

from flask import Blueprint, Response, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from werkzeug.exceptions import NotFound

from receiver.files.backlog import Standing, standing_of
from receiver.files.committer import Commit
from receiver.http.client_address import is_loopback, is_on_this_machine
from receiver.senders.quotas import QUOTAS
from receiver.server.metrics_folder import FOLDER_VARIABLE
from receiver.server.native_threads import run_native
from receiver.state import current_receiver

_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 4)
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 4000, 10000)

bp = Blueprint("metrics", __name__)


class Metrics:
    """What one process counts.

    A label's counter is looked up once and kept: that costs more than to count.
    """

    def __init__(self) -> None:
        """Start at nothing."""
        self._registry = CollectorRegistry()
        self._request = self._counter("requests", "Requests answered.", "route", "status")
        self._events = self._counter("events", "Events on the disk.", "call", "source")
        self._rejected = self._counter("rejected", "Events in rejected/.", "reason", "source")
        self._credentials = self._counter(
            "credentials", "Requests landed, by the kind of their credential.", "kind", "source"
        )
        self._throttled = self._counter(
            "throttled", "Requests over a source's quota.", "source", "quota"
        )
        self._others = {
            name: self._counter(name, text, "source")
            for name, text in (
                ("shut_out", "Events not for this destination."),
                ("suppressed", "Events of suppressed people."),
                ("made_up_ids", "Events that came without an id."),
            )
        }
        self.note_lost_line = Counter(
            "seamline_log_lines_lost",
            "Lines of the log that could not be written.",
            registry=self._registry,
        ).inc
        self._set_up_sizes()

    def _counter(self, name: str, text: str, *labels: str) -> Callable[..., Callable[..., None]]:
        counter = Counter(f"seamline_{name}", text, labels, registry=self._registry)
        return cache(lambda *values: counter.labels(*values).inc)

    def _set_up_sizes(self) -> None:
        histogram = partial(Histogram, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry, multiprocess_mode="livesum")
        self._request_events = histogram(
            "seamline_request_events", "Events in a request that landed.", buckets=_EVENTS
        ).observe
        self._commit_events = histogram(
            "seamline_commit_events", "Events that became durable together.", buckets=_EVENTS
        ).observe
        self._commit_seconds = histogram(
            "seamline_commit_seconds", "Time to write and sync.", buckets=_COMMIT_SECONDS
        ).observe
        self._queue_events = gauge("seamline_queue_events", "Events waiting for the disk.").set
        self._queue_bytes = gauge("seamline_queue_bytes", "Bytes waiting for the disk.").set

    def note_source(self, source: str) -> None:
        """Begin to count what is counted of a source, so that its first time is seen."""
        for quota in QUOTAS:
            self.note_throttled(source, quota, 0)

    def note_throttled(self, source: str, quota: str, number: int) -> None:
        """Count requests that were answered 429 over a quota."""
        self._throttled(source, quota)(number)

    def note_request(self, route: str | None, status: int) -> None:
        """Count an answer."""
        self._request(route or "none", f"{status // 100}xx")()

    def note_credential(self, source: str, kind: str) -> None:
        """Count a request that landed, by what its sender proved itself with."""
        self._credentials(kind, source)()

    def note_landed(
        self,
        source: str,
        by_call: Mapping[str, int],
        by_reason: Mapping[str, int],
        others: Mapping[str, int],
    ) -> None:
        """Count the events of a request, those on the disk and those that are not stored.

        Args:
            source: who sent them.
            by_call: how many of each call.
            by_reason: how many were rejected, for each reason.
            others: how many were `shut_out` by their `integrations`, or are `suppressed` people's,
                and how many got `made_up_ids`.
        """
        for name, number in others.items():
            if number:
                self._others[name](source)(number)
        for call, number in by_call.items():
            self._events(call, source)(number)
        for reason, number in by_reason.items():
            self._rejected(reason, source)(number)
        self._request_events(sum(by_call.values()) + sum(by_reason.values()))

    def note_commit(self, commit: Commit) -> None:
        """Count a commit, and note what waits after it."""
        if not commit.failed:
            self._commit_events(commit.events)
            self._commit_seconds(commit.seconds)
        self._queue_events(commit.waiting_events)
        self._queue_bytes(commit.waiting_bytes)

    def page(self, standing: Standing, reserve_bytes: int) -> bytes:
        """Return the text of `/metrics`, with the counts of all processes."""
        shared = CollectorRegistry()
        if FOLDER_VARIABLE in os.environ:
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        else:
            shared = self._registry
        own = CollectorRegistry()
        own.register(_Now(lambda: _families(standing, reserve_bytes)))
        return generate_latest(shared) + generate_latest(own)


class _Now(Collector):
    """Figures that are taken when they are asked for."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()


def _families(standing: Standing, reserve_bytes: int) -> Iterator[Metric]:
    files = GaugeMetricFamily(
        "seamline_backlog_files", "Sealed files that are not loaded yet.", labels=["call"]
    )
    age = GaugeMetricFamily(
        "seamline_backlog_age_seconds", "Age of the oldest of them.", labels=["call"]
    )
    for folder, backlog in standing.backlogs.items():
        files.add_metric([folder], backlog.files)
        age.add_metric([folder], backlog.age_seconds)
    yield files
    yield age
    yield GaugeMetricFamily("seamline_free_bytes", "Free space.", standing.free_bytes)
    yield GaugeMetricFamily(
        "seamline_reserve_bytes", "Free space below which nothing is accepted.", reserve_bytes
    )
    build = {"version": version("seamline"), "python": platform.python_version()}
    yield InfoMetricFamily("seamline_build", "What is running.", build)


@bp.before_app_request
def keep_apart() -> None:
    """Show on an address of its own nothing but `/metrics`, and that nowhere else.

    On loopback a page in a browser here could ask as well, by a name of its own that leads there.

    Raises:
        NotFound: something is asked for at the wrong address.
    """
    settings = current_receiver().settings
    is_metrics = request.endpoint == f"{bp.name}.{metrics.__name__}"
    is_here = True
    if settings.metrics_port is not None:
        is_here = is_metrics == (request.environ["SERVER_PORT"] == str(settings.metrics_port))
    if is_metrics and (settings.metrics_port is None or is_loopback(settings.metrics_host)):
        is_here = is_here and is_on_this_machine(request)
    if not is_here:
        raise NotFound


@bp.get("/metrics")
def metrics() -> Response:
    """Show what Prometheus asks for."""
    receiver = current_receiver()
    standing = run_native(partial(standing_of, receiver.settings.landing))
    text = receiver.metrics.page(standing, receiver.settings.reserve_bytes)
    return Response(text, content_type=CONTENT_TYPE_LATEST)
