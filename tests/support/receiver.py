"""A really started receiver, and what it has landed."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from orchestration.settings import ROOT
from receiver.calls import FOLDERS
from receiver.envelope import is_whole
from receiver.sources import Source, write_sources

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


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


def whole_lines(landing: Path, *calls: str) -> list[bytes]:
    """Return the landed lines of some calls, or of all, wherever they stand."""
    paths = [path for call in calls or FOLDERS for path in (landing / call).glob("*.ndjson*")]
    lines = []
    for path in paths:
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # sealed since we looked
            data = path.with_suffix("").read_bytes()
        lines += [line for line in data.splitlines(keepends=True) if is_whole(line)]
    return lines


def payload_of(line: bytes) -> bytes:
    return line[line.index(b',"payload":') + 11 : -2]


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Wait until something holds; say whether it came to that."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


class RunningReceiver:
    """One `python -m receiver`, and its landing folder."""

    def __init__(self, folder: Path, prelude: str = "", **settings: object) -> None:
        """Start it, and wait until it is ready.

        Args:
            folder: where landing/, sources.toml and the log go.
            prelude: Python that runs in the process before the receiver does.
            settings: settings other than the defaults of these tests.
        """
        self.landing = folder / "landing"
        self.log = folder / "stderr"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.url, timeout=10, limits=ONE_CONNECTION_EACH)
        if not (folder / "sources.toml").exists():
            write_sources(folder / "sources.toml", SOURCES)
        self.process = start_process(
            folder, prelude, self.log, **({"port": self.port, "reserve_bytes": 0} | settings)
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

    def post(self, path: str, content: bytes | str, **arguments: Any) -> httpx.Response:
        """Post with the write key of *web*, unless headers are given."""
        arguments.setdefault("headers", WEB)
        return self.http.post(path, content=content, **arguments)

    def get(self, path: str) -> httpx.Response:
        """Get a page, with no credentials."""
        return self.http.get(path)

    def lines(self, *calls: str) -> list[bytes]:
        """Return the landed lines of some calls, or of all."""
        return whole_lines(self.landing, *calls)

    def landed(self, message_id: str) -> list[dict[str, Any]]:
        """Return the landed lines with a message id, parsed."""
        parsed = [json.loads(line) for line in self.lines() if message_id.encode() in line]
        return [line for line in parsed if line["message_id"] == message_id]

    def rejected(self, marker: bytes) -> list[dict[str, Any]]:
        """Return the rejected lines whose body has a marker in it, parsed, bodies as bytes."""
        found = []
        for line in map(json.loads, self.lines("rejected")):
            body = base64.b64decode(line["body"])
            if marker in body:
                found.append(line | {"body": body})
        return found

    def open_files(self) -> list[Path]:
        """Return the files that are not sealed."""
        return list(self.landing.glob("*/*.open"))

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
    folder: Path, prelude: str, log: Path, **settings: object
) -> subprocess.Popen[bytes]:
    """Start `python -m receiver` with its files in a folder and nothing else of this machine."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEAMLINE_")}
    settings = {"landing": folder / "landing", "sources": folder / "sources.toml"} | settings
    environment |= {f"SEAMLINE_{name.upper()}": str(value) for name, value in settings.items()}
    run = "import runpy; runpy.run_module('receiver', run_name='__main__')"
    with log.open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", f"{prelude}\n{run}"],
            cwd=ROOT,
            env=environment,
            stderr=stderr,
            start_new_session=True,
        )


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver that is shared: tests tell their events apart by `new_id`."""
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


class Load:
    """Senders that post one event after the other, and remember what was acknowledged."""

    def __init__(self, running: RunningReceiver, senders: int = 8) -> None:
        """Start sending."""
        self._running = running
        self._stopped = False
        self._pool = ThreadPoolExecutor(senders)
        self._sent = [self._pool.submit(self._send) for _ in range(senders)]

    def _send(self) -> list[str]:
        acknowledged = []
        while not self._stopped:
            message_id = new_id()
            body = json.dumps({"messageId": message_id, "event": "Loaded"})
            try:
                answer = self._running.post("/v1/track", body)
            except httpx.TransportError:
                time.sleep(0.01)
                continue
            if answer.status_code == httpx.codes.OK:
                acknowledged.append(message_id)
        return acknowledged

    def stop(self) -> set[str]:
        """Stop sending; return the ids that were answered 200."""
        self._stopped = True
        acknowledged = {one for sent in self._sent for one in sent.result()}
        self._pool.shutdown()
        return acknowledged


def landed_ids(landing: Path) -> set[str]:
    """Return the message ids of all whole lines."""
    return {json.loads(line)["message_id"] for line in whole_lines(landing)}


def fails_with(number: int) -> Callable[..., Any]:
    """Return a stand-in for a call of the operating system that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
