"""The server under Flask: gunicorn with its gevent worker.

A body that arrives slowly holds a greenlet there, not a thread. Each worker is a process
with its own committer and its own files.
"""

import errno
import gc
import os
import signal
import socket
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from receiver.errors import StartError
from receiver.events.suppression import LiveSuppression
from receiver.factory import create_app
from receiver.files.disk import cannot_land, log_landing_warnings, prepare_landing, probe
from receiver.live.key import read_live_key
from receiver.senders.advice import log_advice
from receiver.senders.sources import Sources, load_sources
from receiver.server.logs import configure_logs, server_logs
from receiver.server.metrics_folder import prepare_metrics_folder
from receiver.settings import Settings
from receiver.state import receiver_of

_NEW_OBJECTS_BEFORE_A_COLLECTION = 20_000  # Python's own is 700, less than one batch makes


_ADDRESS_NAMES = (
    "SEAMLINE_PORT and SEAMLINE_HOST",
    "SEAMLINE_METRICS_PORT and SEAMLINE_METRICS_HOST",
)


class WithoutAccessLog(Logger):  # type: ignore[misc]
    """gunicorn's messages, without an access line per request that nobody would see."""

    def access(self, *_: object) -> None:
        """Leave the line to `receiver.server.logs`."""


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, set up by our settings and nothing else."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        """Set up; `run` serves until it is told to stop."""
        self._settings = settings
        self._sources = sources
        super().__init__()

    def load_config(self) -> None:
        """Tell gunicorn what it has to know."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": [f"[{host}]:{port}" for host, port in _addresses(settings)],  # [] are for IPv6
            "workers": settings.workers,
            "worker_class": "receiver.server.worker.Worker",
            "post_fork": _stop_at_once,
            "worker_exit": _close,
            "child_exit": _forget_worker,
            "post_worker_init": _set_up_worker,
            "logger_class": WithoutAccessLog,
            "control_socket_disable": True,
            # Nothing here asks for the scheme or the script's name, so no sender may set them:
            # gunicorn answers a contradiction with 400 or 500, and takes its peer for a proxy.
            "secure_scheme_headers": {},
            "forwarder_headers": "",
            "graceful_timeout": 20,
            "keepalive": settings.keepalive_seconds,
            "timeout": 60,
            "umask": 0o077,
            # A browser sends the cookies of its site's own domain, and has room for many. Together
            # a connection's headers stay at 1 MB: whoever sends them may be anybody.
            "limit_request_field_size": 16_384,
            "limit_request_fields": 64,
            "limit_request_line": 8190,  # gunicorn's most: a pixel has its event in the address
            "logconfig_dict": server_logs(),
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Create a worker's application, in that worker."""
        return create_app(self._settings, self._sources)


def serve(settings: Settings) -> None:
    """Receive until told to stop.

    Raises:
        StartError: it cannot receive as it is set up.
    """
    os.umask(0o077)
    sources = load_sources(settings.sources)
    read_live_key(settings.live_key)
    prepare_landing(settings.landing)
    LiveSuppression(settings.landing).refuse_unreadable()
    if settings.landing_direct:
        from receiver.files.direct import refuse_unusable_store  # noqa: PLC0415 - brings obstore

        refuse_unusable_store(settings)
    try:
        probe(settings.landing)
    except OSError as error:
        raise cannot_land(settings.landing, error) from error
    for (host, port), names in zip(_addresses(settings), _ADDRESS_NAMES, strict=False):
        _check_address(host, port, names)
    prepare_metrics_folder()
    configure_logs()
    log_advice(sources.warnings)
    log_landing_warnings(settings.landing)
    Server(settings, sources).run()


def _addresses(settings: Settings) -> list[tuple[str, int]]:
    """Return what is listened on: the receiver's address, and that of `/metrics` if it has one."""
    more = [(settings.metrics_host, settings.metrics_port)] if settings.metrics_port else []
    return [(settings.host, settings.port), *more]


def _check_address(host: str, port: int, names: str) -> None:
    """Refuse an address that cannot be listened on, in words; gunicorn would try five times."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probing:
        probing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probing.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            reason = "is taken" if taken else f"cannot be listened on: {error.strerror}"
            raise StartError(f"{host}:{port} {reason}. {names} name another address.") from error


def _stop_at_once(_arbiter: Any, _worker: Any) -> None:
    """Let SIGTERM end a worker that is not ready yet: the master's handler would swallow it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _set_up_worker(worker: Any) -> None:
    # Ctrl-C ends a worker as SIGTERM does: requests answered, files sealed.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, worker.handle_exit)
    # The collector looks less often, and never at what stays: a batch is no cycle.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_BEFORE_A_COLLECTION)


def _forget_worker(_arbiter: Any, worker: Any) -> None:
    """Take what a worker that has ended had waiting out of the metrics; its counts stay."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see metrics.py

    mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _close(_arbiter: Any, worker: Any) -> None:
    application = getattr(worker, "wsgi", None)  # missing if the worker failed to start
    if application is not None and worker.pid == os.getpid():
        receiver_of(application).close()
