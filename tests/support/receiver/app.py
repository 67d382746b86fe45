"""The receiver's application in this process, without a server: for what HTTP means."""

import io
import sys
import threading
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import unquote_to_bytes

import httpx
import structlog
from werkzeug.test import run_wsgi_app

from receiver.factory import create_app
from receiver.http import health
from receiver.senders.sources import write_sources
from receiver.server.logs import configure_logs
from receiver.settings import Settings
from receiver.state import receiver_of
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SOURCES


class _Read(NamedTuple):
    """An answer, as `http.client` gives it."""

    status: int
    body: bytes

    def read(self) -> bytes:
        return self.body


class _NoConnection:
    """What `http.client.HTTPConnection` would be to an application without a server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._answer = _Read(0, b"")

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        answer = self._client.request(method, path, content=body, headers=headers)
        self._answer = _Read(answer.status_code, answer.content)

    def getresponse(self) -> _Read:
        return self._answer

    def close(self) -> None:
        pass


class AppReceiver(Landing):
    """The application in this process, without a server: what is sent really lands."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        """Create it.

        Args:
            folder: where landing/, sources.toml and the log go.
            settings: settings other than the defaults of these tests.
        """
        if not (folder / "sources.toml").exists():
            write_sources(folder / "sources.toml", SOURCES)
        places = {"landing": folder / "landing", "sources": folder / "sources.toml"}
        # It does nothing by itself: another test may just have taken the system's calls away.
        quiet = {"reserve_bytes": 0, "seal_seconds": 3600}
        # tests are in a hurry
        quiet |= {"source_events_per_second": 10**6, "refused_time_share": 1}
        self.settings = Settings(_env_file=None, **(places | quiet | settings))
        self.landing, self.port = self.settings.landing, self.settings.port
        self.log = folder / "log"
        self._stderr = self.log.open("a")
        with redirect_stderr(self._stderr):
            configure_logs()
        # Who logs looks anew where to: this process is not one receiver's alone.
        self._logs = structlog.get_config() | {"cache_logger_on_first_use": False}
        _forget_probe()
        with patch("receiver.factory.configure_logs", self.log_here):
            self.app = create_app(self.settings)
        self.committer = receiver_of(self.app).committer
        self.fatal = threading.Event()
        self.committer._on_fatal = self.fatal.set  # noqa: SLF001 - it would end the tests
        self.http = httpx.Client(base_url=self.url, transport=_Application(self))

    def log_here(self) -> None:
        """Let the log's lines come into this one's file: a process has one log."""
        structlog.configure(**self._logs)

    def processes(self) -> list[int]:
        """Return none: there is this one."""
        assert self.committer.refusal() is None
        return []

    def connect(self, timeout: float = 30) -> _NoConnection:
        """Return what may be used as a connection."""
        del timeout
        return _NoConnection(self.http)

    def kill(self) -> None:
        """Seal everything, and end: an application is never killed alone."""
        self.close()

    def close(self) -> None:
        """Seal everything, and end."""
        receiver_of(self.app).close()
        _forget_probe()
        structlog.reset_defaults()
        self._stderr.close()


def _forget_probe() -> None:
    """Let the next question be answered by a new try: another application has another disk."""
    health._probe = health._Probe()  # noqa: SLF001


class _Application(httpx.BaseTransport):
    """Hands a request to an application as gunicorn would, and its answer back."""

    def __init__(self, receiver: AppReceiver) -> None:
        self._receiver = receiver

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._receiver.log_here()
        body, status, headers = run_wsgi_app(
            self._receiver.app, _environment(request), buffered=True
        )
        return httpx.Response(
            int(status.split()[0]), headers=list(headers), content=b"".join(body), request=request
        )


def _environment(request: httpx.Request) -> dict[str, Any]:
    """Return what PEP 3333 says of a request, and gunicorn."""
    path, _, query = request.url.raw_path.partition(b"?")
    environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.decode("latin-1"),
        "RAW_URI": request.url.raw_path.decode("latin-1"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(request.url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.read()),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    fields: dict[str, list[str]] = {}
    for name, value in request.headers.raw:
        if b"_" not in name:  # gunicorn drops them: they would look like others
            name_there = name.decode("latin-1").upper().replace("-", "_")
            fields.setdefault(name_there, []).append(value.decode("latin-1").strip())
    for name_there, values in fields.items():
        prefix = "" if name_there in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_"
        environ[prefix + name_there] = ",".join(values)
    return environ
