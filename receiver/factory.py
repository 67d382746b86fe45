"""The application of one process: its parts, made and put together."""

import atexit
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import structlog
from flask import Flask

from receiver.events.suppression import LiveSuppression
from receiver.files.backlog import PLENTY, free_bytes
from receiver.files.committer import Commit, Committer, Files
from receiver.files.disk import log_landing_warnings, prepare_landing
from receiver.files.not_stored import THROTTLED, NotStoredCounts
from receiver.files.open_files import OpenFiles
from receiver.files.recovery import recover
from receiver.http import description, health, pixel, projects, tracking, webhooks
from receiver.http.answers import register_error_answers
from receiver.http.application import Application
from receiver.http.body_memory import BodyMemory
from receiver.http.cors import open_to_browsers
from receiver.http.paths import one_slash
from receiver.http.refused_time import RefusedTime, UnauthenticatedTime
from receiver.http.slow_bodies import SlowBodies
from receiver.live.key import read_live_key
from receiver.live.page import live_page
from receiver.senders.advice import log_advice
from receiver.senders.counters import SharedCounters
from receiver.senders.live_sources import LiveSources
from receiver.senders.quotas import Allowed, Quotas
from receiver.senders.sources import Sources, load_sources
from receiver.server.logs import configure_logs, count_lost_lines, log_requests
from receiver.server.metrics_folder import FOLDER_VARIABLE
from receiver.server.native_threads import run_native
from receiver.settings import Settings
from receiver.state import Receiver, attach, handle_for

RECOVER_SECONDS = 30.0

log = structlog.get_logger()


def create_app(settings: Settings | None = None, sources: Sources | None = None) -> Flask:
    """Create the application of one process, and start its committer.

    Args:
        settings: what to do and where; read from the environment if left out.
        sources: who may send; read from `settings.sources` if left out.

    Raises:
        StartError: it cannot receive as it is set up.
    """
    settings = settings or Settings()
    configure_logs()
    if sources is None:
        sources = load_sources(settings.sources)
        log_advice(sources.warnings)
        log_landing_warnings(settings.landing)
    prepare_landing(settings.landing)
    _recover(settings.landing)
    ended = threading.Event()
    threading.Thread(
        target=_keep_recovering, args=[settings.landing, ended], name="recovery", daemon=True
    ).start()

    app = Application(__name__, static_folder=None)
    # Some SDKs end the path with a slash, and some hosts end with one themselves.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # it would redirect, and a POST is lost on the way
    # Not before: prometheus-client looks for the processes' folder when it is imported.
    from receiver.server import metrics  # noqa: PLC0415

    counts = metrics.Metrics()
    count_lost_lines(counts.note_lost_line)
    live_sources = LiveSources(settings.sources, sources)
    committer = _start_committer(settings, counts.note_commit)
    suppression = LiveSuppression(settings.landing)
    not_stored = _start_counting(settings)

    def note_throttled(source: str, quota: str, number: int) -> None:
        counts.note_throttled(source, quota, number)
        not_stored.note(source, THROTTLED, number)

    quotas = _quotas(settings, note_throttled)
    for name in sources.names():
        counts.note_source(name)
    receiver = Receiver(
        settings,
        live_sources,
        committer,
        counts,
        not_stored,
        suppression,
        quotas,
        UnauthenticatedTime(
            settings.refused_time_share, lambda: live_sources.current().with_public_keys()
        ),
        RefusedTime(settings.refused_time_share),
        SlowBodies(),
        BodyMemory(settings.bodies_bytes),
        ended,
    )
    attach(app, receiver)
    application = handle_for(receiver, one_slash(app.wsgi_app))
    app.wsgi_app = application  # type: ignore[assignment, method-assign]
    log_requests(app, counts.note_request)
    open_to_browsers(app)
    register_error_answers(app)
    for module in (tracking, pixel, projects, webhooks, health, description, metrics):
        app.register_blueprint(module.bp)
    app.register_blueprint(live_page(read_live_key(settings.live_key)))
    return app


def _quotas(settings: Settings, note: Callable[[str, str, int], None]) -> Quotas:
    folder = os.environ.get(FOLDER_VARIABLE)
    return Quotas(
        Allowed(
            settings.source_events_per_second,
            settings.source_day_bytes,
            settings.source_disk_share,
            settings.reserve_bytes,
        ),
        SharedCounters(Path(folder) / "quotas" if folder else None),
        lambda: (
            run_native(partial(free_bytes, settings.landing))
            if not settings.landing_direct
            else PLENTY
        ),
        note,
    )


def _start_counting(settings: Settings) -> NotStoredCounts:
    not_stored = NotStoredCounts(settings.landing, settings.seal_seconds)
    not_stored.start()
    atexit.register(not_stored.write)  # for servers without a hook, as below
    return not_stored


def _start_committer(settings: Settings, on_commit: Callable[[Commit], None]) -> Committer:
    committer = Committer(
        _files(settings),
        queue_bytes=settings.queue_bytes,
        queue_events=settings.queue_events,
        commit_seconds=settings.commit_seconds,
        on_commit=on_commit,
    )
    committer.start()
    atexit.register(committer.close)  # for servers without a hook, such as `flask run`
    return committer


def _files(settings: Settings) -> Files:
    if settings.landing_direct and settings.landing_remote:
        from receiver.files.direct import DirectObjects  # noqa: PLC0415 - brings obstore

        return DirectObjects(settings.landing_remote, settings.commit_seconds)
    return OpenFiles(
        settings.landing, settings.seal_seconds, settings.seal_bytes, settings.reserve_bytes
    )


def _keep_recovering(landing: Path, ended: threading.Event) -> None:
    """Seal now and then what was left behind, by whomever: no event waits for a restart."""
    while not ended.wait(RECOVER_SECONDS):
        try:
            _recover(landing)
        except OSError as error:  # the next time it may not fail
            log.error("not_recovered", problem=error.strerror)  # noqa: TRY400 - says no more


def _recover(landing: Path) -> None:
    for file in run_native(partial(recover, landing)):
        log.warning("recovered", **file._asdict())
