"""Connections that are left open: kept for long, and not at the cost of others."""

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.receiver.senders import WEB
from tests.support.receiver.server import RunningReceiver

FEW_CONNECTIONS = """
from gunicorn.workers.base_async import AsyncWorker
original = AsyncWorker.__init__
def few(self, *arguments, **more):
    original(self, *arguments, **more)
    self.worker_connections = 40
AsyncWorker.__init__ = few
"""
GET = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def post(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", "/v1/track", b"{}", WEB)
    response = connection.getresponse()
    response.read()
    return response.status


def connect(running: RunningReceiver) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=10)


@contextmanager
def idle(running: RunningReceiver, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open connections one after the other, and leave each once it is answered, if it will be."""
    with ExitStack() as stack:
        opened = []
        for _ in range(number):
            one = stack.enter_context(connect(running))
            one.sendall(sent)
            if sent.endswith(b"\r\n\r\n"):
                answer = b""
                while not answer.endswith(b"}"):
                    answer += one.recv(10_000)
                assert answer.startswith(b"HTTP/1.1 200")
            opened.append(one)
        yield opened


def test_a_connection_that_was_idle_for_seconds_takes_the_next_request(
    server: RunningReceiver,
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    assert post(connection) == 200
    socket_before = connection.sock
    time.sleep(3)  # gunicorn's own 2 s are over

    assert post(connection) == 200
    assert connection.sock is socket_before
    connection.close()


def test_a_connection_is_closed_after_the_time_that_is_set(
    start_receiver: Callable[..., RunningReceiver],
) -> None:
    running = start_receiver(workers=1, keepalive_seconds=1)
    with idle(running, 1, GET) as (one,):
        started = time.monotonic()

        assert one.recv(1) == b""
        assert time.monotonic() - started > 0.5


@pytest.mark.parametrize("sent", [GET, b"", b"GET /health/live HT"])
def test_more_idle_connections_than_there_may_be_keep_nobody_out(
    start_receiver: Callable[..., RunningReceiver], sent: bytes
) -> None:
    running = start_receiver(FEW_CONNECTIONS, workers=1)
    with idle(running, 100, sent) as opened:
        for _ in range(10):
            assert running.get("/health/live").status_code == 200
        first, last = opened[0], opened[-1]

        assert first.recv(1) == b""  # the one that has waited longest is the first to go
        last.setblocking(False)
        with pytest.raises(BlockingIOError):
            last.recv(1)


def test_idle_connections_do_not_hold_up_the_end(
    start_receiver: Callable[..., RunningReceiver],
) -> None:
    running = start_receiver(workers=1)
    with idle(running, 5, GET):
        started = time.monotonic()

        assert running.stop() == 0
        assert time.monotonic() - started < 15  # requests in flight would be given 20
