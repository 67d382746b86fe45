"""A receiver, and what it has landed: in this process, or really started.

`AppReceiver` answers requests as the application does, without a server: for what HTTP means.
`RunningReceiver` is `python -m receiver` in processes of its own: for what only a server shows.
A test talks to both in the same way.
"""

import base64
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import unquote_to_bytes

import httpx
import psutil
import pytest
import structlog
from werkzeug.test import run_wsgi_app

from landed.settings import ROOT
from receiver import create_app, health
from receiver.__main__ import main
from receiver.calls import FOLDERS
from receiver.envelope import is_whole
from receiver.logs import configure_logs
from receiver.settings import Settings
from receiver.sources import Source, write_sources
from receiver.state import receiver_of

START_SECONDS = 60
SEGMENT_GIVES_UP = 5
"""Seconds until Segment's webhooks take a request for failed: who waits less is not harmed.

The answers come in milliseconds; a machine that is busy with other work may need many times that.
"""
ONE_CONNECTION_EACH = httpx.Limits(max_keepalive_connections=0)

SOURCES = (
    Source("web", write_keys=("web-key", "web-key-two")),
    Source("hooks", write_keys=("hooks-key",)),
    Source("signed", write_keys=("signed-key",), shared_secrets=("new secret", "old secret")),
)


def basic(key: str, password: str = "") -> dict[str, str]:
    """Return the header of Basic authentication with a write key."""
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:{password}".encode()).decode()}


WEB = basic("web-key")


def new_id() -> str:
    """Return a message id nobody else has."""
    return f"test-{uuid.uuid4()}"


_RESERVED: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody else gets: it stays bound here, and never listens.

    Servers may listen on it all the same, as they all set SO_REUSEADDR, and connections find
    nobody there before. Only on Linux; elsewhere another process may be quicker.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    if sys.platform == "linux":
        _RESERVED.append(reserved)
    else:
        reserved.close()
    return port


def whole_lines(landing: Path, *calls: str, holding: bytes = b"") -> list[bytes]:
    """Return the landed lines of some calls, or of all, that hold some bytes."""
    paths = [path for call in calls or FOLDERS for path in (landing / call).glob("*.ndjson*")]
    lines = []
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed since we looked
            data = path.with_suffix("").read_bytes()
        if holding in data:
            found = [line for line in data.splitlines(keepends=True) if holding in line]
            lines += filter(is_whole, found)
    return lines


def payload_of(line: bytes) -> bytes:
    return line[line.index(b',"payload":') + 11 : -2]


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something holds; say whether it came to that."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


class Landing(ABC):
    """How a test sends to a receiver, and looks at what has landed.

    Attributes:
        landing: the landing folder.
        log: the file with the log's lines.
        port: which port it listens on, or seems to.
        http: sends any request.
    """

    landing: Path
    log: Path
    port: int
    http: httpx.Client

    @property
    def url(self) -> str:
        """The address of it."""
        return f"http://127.0.0.1:{self.port}"

    def post(self, path: str, content: bytes | str, **arguments: Any) -> httpx.Response:
        """Post with the write key of *web*, unless headers are given."""
        arguments.setdefault("headers", WEB)
        return self.http.post(path, content=content, **arguments)

    def get(self, path: str) -> httpx.Response:
        """Get a page, with no credentials."""
        return self.http.get(path)

    def lines(self, *calls: str, holding: str | bytes = b"") -> list[bytes]:
        """Return the landed lines of some calls, or of all, that hold some text."""
        text = holding.encode() if isinstance(holding, str) else holding
        return whole_lines(self.landing, *calls, holding=text)

    def landed(self, message_id: str) -> list[dict[str, Any]]:
        """Return the landed lines with a message id, parsed."""
        parsed = map(json.loads, self.lines(holding=message_id))
        return [line for line in parsed if line["message_id"] == message_id]

    def rejected(self, marker: bytes) -> list[dict[str, Any]]:
        """Return the rejected lines whose body has a marker in it, parsed, bodies as bytes."""
        found = []
        for line in map(json.loads, self.lines("rejected")):
            body = base64.b64decode(line["body"])
            if marker in body:
                found.append(line | {"body": body})
        return found

    def logged(self, event: str = "request") -> list[dict[str, Any]]:
        """Return the lines of the log about some event, parsed."""
        lines = map(json.loads, self.log.read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def open_files(self) -> list[Path]:
        """Return the files that are not sealed."""
        return list(self.landing.glob("*/*.open"))

    def sealed_files(self) -> list[Path]:
        """Return the files that wait for the loader."""
        return list(self.landing.glob("*/*.ndjson"))

    @abstractmethod
    def processes(self) -> list[int]:
        """Return the process ids that have to stay the same, whatever is sent."""

    def connect(self, timeout: float = 30) -> "http.client.HTTPConnection | _NoConnection":
        """Return a connection for one request after the other."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    @abstractmethod
    def kill(self) -> None:
        """End it."""


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
        self.settings = Settings(_env_file=None, **(places | quiet | settings))
        self.landing, self.port = self.settings.landing, self.settings.port
        self.log = folder / "log"
        self._stderr = self.log.open("a")
        with redirect_stderr(self._stderr):
            configure_logs()
        # Who logs looks anew where to: this process is not one receiver's alone.
        self._logs = structlog.get_config() | {"cache_logger_on_first_use": False}
        _forget_probe()
        with patch("receiver.configure_logs", self.log_here):
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
        self.committer.close()
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


class RunningReceiver(Landing):
    """One `python -m receiver`, and its landing folder."""

    def __init__(
        self,
        folder: Path,
        prelude: str = "",
        *,
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        """Start it, and wait until it is ready.

        Args:
            folder: where landing/, sources.toml and the log go.
            prelude: Python that runs in the process before the receiver does.
            environment: more variables of the process.
            settings: settings other than the defaults of these tests.
        """
        self.landing = folder / "landing"
        self.log = folder / "stderr"
        self.port = free_port()
        self.http = httpx.Client(base_url=self.url, timeout=30, limits=ONE_CONNECTION_EACH)
        if not (folder / "sources.toml").exists():
            write_sources(folder / "sources.toml", SOURCES)
        defaults = {"port": self.port, "reserve_bytes": 0, "workers": 1}
        self.process = start_process(
            folder, prelude, self.log, environment, **(defaults | settings)
        )
        self._wait_until_live()

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/health/live").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        pytest.fail("the receiver did not start: " + self.log.read_text())

    def processes(self) -> list[int]:
        """Return the process ids of the master and its workers."""
        assert self.process.poll() is None
        return [self.process.pid, *self.workers()]

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it gently; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the master and its workers: the session they were started in is theirs alone."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)


def start_process(
    folder: Path,
    prelude: str,
    log: Path,
    more: Mapping[str, str] | None = None,
    **settings: object,
) -> subprocess.Popen[bytes]:
    """Start `python -m receiver` with its files in a folder and nothing else of this machine."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEAMLINE_")}
    settings = {"landing": folder / "landing", "sources": folder / "sources.toml"} | settings
    environment |= {f"SEAMLINE_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= more or {}
    run = "import runpy; runpy.run_module('receiver', run_name='__main__')"
    with log.open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", f"{prelude}\n{run}"],
            cwd=ROOT,
            env=environment,
            stderr=stderr,
            start_new_session=True,
        )


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppReceiver]:
    """An application that the tests of a file share, who tell their events apart by `new_id`.

    No other file's: what has landed is read whole for each look, and some files land much.
    """
    receiver = AppReceiver(tmp_path_factory.mktemp("app"))
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def make_apps(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., AppReceiver]]:
    """Create applications for the tests of a file, each with a folder and settings of its own."""
    made = []

    def make(folder: Path | None = None, **settings: Any) -> AppReceiver:
        made.append(AppReceiver(folder or tmp_path_factory.mktemp("app"), **settings))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def make_app(tmp_path: Path) -> Iterator[Callable[..., AppReceiver]]:
    """Create applications in a test's own `tmp_path`."""
    made = []

    def make(**settings: Any) -> AppReceiver:
        made.append(AppReceiver(tmp_path, **settings))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A started receiver that is shared: tests tell their events apart by `new_id`."""
    running = RunningReceiver(tmp_path_factory.mktemp("receiver"))
    yield running
    running.kill()


@pytest.fixture
def start_receiver(tmp_path: Path) -> Iterator[Callable[..., RunningReceiver]]:
    """Start receivers of a test's own; all use its `tmp_path`, and none outlives it."""
    started = []

    def start(prelude: str = "", **settings: object) -> RunningReceiver:
        started.append(RunningReceiver(tmp_path, prelude, **settings))
        return started[-1]

    yield start
    for running in started:
        running.kill()


Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refusal:
    """Run `python -m receiver` in this process, where it has to refuse; return what it says.

    It begins in the test's `tmp_path`, with nothing of this machine, and never gets to serve.
    """
    for name in [name for name in os.environ if name.startswith("SEAMLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["receiver"])
    monkeypatch.setattr("receiver.server.prepare_metrics_folder", lambda: None)
    monkeypatch.setattr("receiver.server.Server.run", lambda _: pytest.fail("it would serve"))

    def refuse(**settings: object) -> str:
        places = {"landing": tmp_path / "landing", "sources": tmp_path / "sources.toml"}
        for name, value in ({"port": free_port()} | places | settings).items():
            monkeypatch.setenv(f"SEAMLINE_{name.upper()}", str(value))
        umask = os.umask(0o022)
        try:
            with pytest.raises(SystemExit) as stopped:
                main()
        finally:
            os.umask(umask)
        return str(stopped.value)

    return refuse


def landed_ids(landing: Path) -> set[str]:
    """Return the message ids of all whole lines."""
    return {json.loads(line)["message_id"] for line in whole_lines(landing)}


def fails_with(number: int) -> Callable[..., Any]:
    """Return a stand-in for a call of the operating system that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
