"""Logs: one JSON line per request and event of ours, on stderr.

No bodies, keys, signatures, query strings or addresses: what a sender sends is in landing/
and nowhere else.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, TextIO, cast

import msgspec
import structlog
from flask import Flask, Response, request

from receiver.http.paths import shown_path
from receiver.state import current_handling, receiver_of

_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def _as_json(line: Mapping[str, Any], **_: Any) -> str:
    return msgspec.json.encode(line, enc_hook=repr).decode()


_RENDERER = structlog.processors.JSONRenderer(_as_json)

_UNKNOWN = {
    "source": None,
    "credential": None,
    "events": 0,
    "rejected": 0,
    "shut_out": 0,
    "suppressed": 0,
    "refused": None,
}
"""What is said of a request where it has not been found out."""


class WithoutRequests(logging.Filter):
    """Takes what a sender sent out of the server's own messages."""

    _PREFIXES = ("Invalid request", "Error handling request", "Socket error")

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the message, but nothing of the request behind its first words."""
        for prefix in self._PREFIXES:
            if str(record.msg).startswith(prefix):
                record.msg, record.args, record.exc_info = prefix, (), None
        return True


class _Output:
    """A stream that never raises: a line that cannot be written is lost, and counted."""

    note_lost: ClassVar[Callable[[], object]] = staticmethod(int)

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        try:
            self._stream.write(line)
            self._stream.flush()
        except OSError:
            type(self).note_lost()

    def flush(self) -> None:
        """Do nothing: every line is flushed."""


def count_lost_lines(note: Callable[[], object]) -> None:
    """Call a function for each line that cannot be written, from now on; there is one of them."""
    _Output.note_lost = staticmethod(note)


def configure_logs() -> None:
    """Make structlog write JSON lines to stderr, each with one write.

    Two, of a line and of its end, would be mixed up with those of the other processes. A full disk
    or a reader that has gone costs lines, and never an answer.
    """
    structlog.configure(
        processors=[*_PROCESSORS, _RENDERER],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Output(sys.stderr))),
        cache_logger_on_first_use=True,
    )


def server_logs() -> dict[str, Any]:
    """Return the logging configuration that makes the server's own messages JSON lines too."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_requests": {"()": WithoutRequests}},
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": _RENDERER,
                "foreign_pre_chain": _PROCESSORS,
            }
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stderr",
                "formatter": "json",
                "filters": ["without_requests"],
            }
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False}
        },
    }


def log_requests(app: Flask, note_request: Callable[[str | None, int], None]) -> None:
    """Make an application log one line per request, and count it.

    Args:
        app: the application.
        note_request: counts an answer, by route and status.
    """

    @app.after_request
    def finish(response: Response) -> Response:
        route = request.url_rule.rule if request.url_rule else None
        note_request(route, response.status_code)
        handling = current_handling()
        line = {
            "method": request.method,
            "route": route,
            **({} if route else {"path": _shown(app)}),
            "status": response.status_code,
            **_UNKNOWN,
            **handling.log,
            "bytes": handling.size or 0,
            "duration_ms": round((time.perf_counter() - handling.started) * 1000, 2),
            "event": "request",
            "level": "info",
            "timestamp": datetime.now(UTC),
        }
        # To the logger itself: what stands between is for lines that are no finished ones yet, and
        # costs as much as the check of an event.
        structlog.get_config()["logger_factory"]().msg(_as_json(line))
        return response


def _shown(app: Flask) -> str:
    return shown_path(request.path, receiver_of(app).live_sources.current())
