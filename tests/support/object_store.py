"""An object store that speaks S3, started on loopback, and one that fails in front of it."""

import http.client
import http.server
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.support.processes import free_port

KEYS = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
START_SECONDS = 60


class Bucket:
    """A bucket, empty at first."""

    def __init__(self, store: str) -> None:
        """Create it in the store at that address."""
        import boto3  # noqa: PLC0415 - half a second, and only for those who have a bucket

        self.name = f"archive-{uuid.uuid4().hex}"
        self._client = boto3.client("s3", endpoint_url=store, **KEYS)
        self._client.create_bucket(Bucket=self.name)

    def put(self, key: str, data: bytes, **more: Any) -> None:
        """Write an object."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data, **more)

    def get(self, key: str) -> bytes:
        """Read an object."""
        data: bytes = self._client.get_object(Bucket=self.name, Key=key)["Body"].read()
        return data

    def keys(self, prefix: str = "") -> list[str]:
        """The names of the objects below a prefix."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=prefix
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._client.delete_object(Bucket=self.name, Key=key)


class ObjectStore:
    """A store, in a process of its own."""

    def __init__(self) -> None:
        """Start it, and wait until it answers."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{self.url}/moto-api/", timeout=5)
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        self.stop()
        pytest.fail("the object store did not start")

    def stop(self) -> None:
        """End it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """A store that all tests of a process share; each has a bucket of its own."""
    running = ObjectStore()
    yield running
    running.stop()


@pytest.fixture
def bucket(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of a test's own, and the environment that leads to it."""
    lead_to(object_store.url, monkeypatch)
    return Bucket(object_store.url)


def lead_to(url: str, environment: pytest.MonkeyPatch) -> None:
    """Let the environment of this process lead to a store."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        environment.setenv(name, value)


GOES_ON = ""
"""No fault: the request is passed on, and its answer."""

FAULTS = ("503", "cut before", "cut in the answer", "answer lost", "late")
"""What may become of a request: a 503; no answer, the request passed on or not; half of one; an
answer that takes longer than whoever asks waits."""


class FailingStore(http.server.ThreadingHTTPServer):
    """Stands in front of a store, and fails as it is told.

    Attributes:
        url: its address.
        host: that of the store, with its port.
        fault: given method and path of each request, says which of `FAULTS` it meets.
        asked: what was asked: method, path, fault.
        late: seconds that a late answer takes.
    """

    daemon_threads = True

    def __init__(self, store: str) -> None:
        """Begin with no fault."""
        super().__init__(("127.0.0.1", 0), _Front)
        self.fault: Callable[[str, str], str] = lambda _method, _path: GOES_ON
        self.asked: list[tuple[str, str, str]] = []
        self.late = 3.0
        self.host = store.removeprefix("http://")
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=[0.05], daemon=True).start()

    def stop(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()


class _Front(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FailingStore

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.fault(self.command, self.path)
        self.server.asked.append((self.command, self.path, fault))
        if fault in {"503", "403"}:
            self._answer(int(fault), {}, b"<Error><Code>Refused</Code></Error>")
            return
        if fault == "cut before":
            self.close_connection = True
            return
        asking = http.client.HTTPConnection(self.server.host, timeout=30)
        asking.request(self.command, self.path, body, dict(self.headers))
        answer = asking.getresponse()
        data = answer.read()
        asking.close()
        if fault == "answer lost":
            self.close_connection = True
            return
        if fault == "late":
            time.sleep(self.server.late)
        self._answer(answer.status, dict(answer.headers), data, half=fault.startswith("cut"))

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, *, half: bool = False
    ) -> None:
        length = str(len(data))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in _OWN:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if half else data)
        self.close_connection |= half

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _handle  # noqa: N815 - http's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_OWN = {"content-length", "transfer-encoding", "connection", "date", "server"}
"""Headers of a connection, which are not passed on."""
