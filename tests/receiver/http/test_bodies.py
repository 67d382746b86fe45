"""Bodies that are cut, too large, or packed in ways that are not what they seem."""

import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader

from receiver.server.connection import Connection
from receiver.server.worker import Worker
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import cpu_seconds_of_unpacking
from tests.support.receiver.senders import SEGMENT_GIVES_UP, WEB, new_id
from tests.support.receiver.server import RunningReceiver

AUTHORIZED = b"Authorization: " + WEB["Authorization"].encode() + b"\r\n"
GZIP = WEB | {"Content-Encoding": "gzip"}
LIMIT = 1_000_000


@pytest.fixture(scope="module")
def small(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver with a small limit."""
    return make_apps(body_bytes=LIMIT, batch_events=100)


def raw(running: RunningReceiver, headers: bytes, body: bytes) -> bytes:
    """Send bytes as they are, end the sending side, and return the first line of the answer."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED + headers)
        connection.sendall(b"\r\n" + body)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").readline()


def event() -> tuple[bytes, str]:
    message_id = new_id()
    return json.dumps({"messageId": message_id}).encode(), message_id


def test_a_body_shorter_than_announced_is_400_and_lands_nothing(server: RunningReceiver) -> None:
    body, message_id = event()

    answer = raw(server, b"Content-Length: 500\r\n", body)

    assert b" 400 " in answer
    assert not server.landed(message_id)


@pytest.mark.parametrize("cut", [b"", b"\r\n", b"\r\n5\r\nab", b"\r\n0\r\n", b"\r\nzz\r\n"])
def test_a_chunked_body_that_is_cut_is_400_and_lands_nothing(
    server: RunningReceiver, cut: bytes
) -> None:
    body, message_id = event()

    answer = raw(server, b"Transfer-Encoding: chunked\r\n", b"%x\r\n%b" % (len(body), body) + cut)

    assert b" 400 " in answer
    assert not server.landed(message_id)


def test_a_chunked_body_lands(server: RunningReceiver) -> None:
    body, message_id = event()
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    assert b" 200 " in raw(server, b"Transfer-Encoding: chunked\r\n", chunked)
    assert server.landed(message_id)


def test_an_empty_body_is_400(app: AppReceiver) -> None:
    assert app.post("/v1/track", b"").status_code == 400


def test_a_body_announced_over_the_limit_is_413_before_it_is_sent(server: RunningReceiver) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED)
        connection.sendall(b"Content-Length: %d\r\n\r\n" % ((128 << 20) + 1))

        assert b" 413 " in connection.makefile("rb").readline()


def test_a_chunked_body_over_the_limit_is_413_and_not_cut(small: AppReceiver) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100_000

    answer = small.post("/v1/track", pieces())

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_at_the_limit_lands(small: AppReceiver) -> None:
    body, message_id = event()

    assert small.post("/v1/track", body + b" " * (LIMIT - len(body))).status_code == 200
    assert small.landed(message_id)


def test_a_gzip_bomb_is_413_before_it_is_unpacked_and_costs_little_memory(
    small: AppReceiver,
) -> None:
    packer = zlib.compressobj(wbits=31)
    first, again = (
        packer.compress(bytes(LIMIT)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)
    )
    bomb = first + again * 100
    tracemalloc.start()
    started = time.process_time()
    try:
        answer = small.post("/v1/track", bomb, headers=GZIP)
        cost = time.process_time() - started
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status_code == 413
    assert cost < cpu_seconds_of_unpacking(bomb) / 2  # a 100th of it is to be unpacked
    assert most < 8 << 20  # the body itself, and what was unpacked of it


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-4], lambda data: data + b"x", lambda data: data[:20] + b"\0" + data[21:]],
)
def test_damaged_gzip_is_kept_as_it_came(
    app: AppReceiver, damage: Callable[[bytes], bytes]
) -> None:
    sent = damage(gzip.compress(event()[0]))

    answer = app.post("/v1/track", sent, headers=GZIP)

    assert answer.status_code == 200
    assert [(line["reason"], line["body"]) for line in app.rejected(sent)] == [("bad_gzip", sent)]


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "deflate"])
def test_an_unknown_encoding_is_415(app: AppReceiver, encoding: str) -> None:
    answer = app.post("/v1/track", b"{}", headers=WEB | {"Content-Encoding": encoding})

    assert answer.status_code == 415


def test_more_events_than_a_request_may_hold_are_413(small: AppReceiver) -> None:
    batch = b'{"batch":[' + b",".join([b'{"type":"page"}'] * 101) + b"]}"

    answer = small.post("/v1/batch", batch)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many")


def test_shared_fields_that_would_multiply_are_413(small: AppReceiver) -> None:
    events = b",".join([b'{"type":"page"}'] * 99)
    batch = b'{"batch":[%b],"context":{"x":"%b"}}' % (events, b"x" * 50_000)

    assert small.post("/v1/batch", batch).status_code == 413


def test_half_sent_bodies_hold_nobody_up(server: RunningReceiver) -> None:
    body, message_id = event()
    connections = []
    try:
        for _ in range(100):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            connection.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\n" + AUTHORIZED)
            connection.sendall(b"Content-Length: 500\r\n\r\n{")
            connections.append(connection)
        started = time.monotonic()

        assert server.post("/v1/track", body).status_code == 200
        assert time.monotonic() - started < SEGMENT_GIVES_UP
        assert server.landed(message_id)
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/track", WEB),
        ("/v1/track", {}),
        ("/webhooks/signed", {"X-Signature": "0" * 40}),
    ],
)
def test_a_body_whose_connection_we_have_ended_is_to_come_again(
    app: AppReceiver, path: str, headers: Mapping[str, str]
) -> None:
    """400 and 401 are a sender's last word: it would drop the events for good."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        there = socket.create_connection(listening.getsockname())
        here, _ = listening.accept()
    with here, there:
        there.sendall(b'{"writeKey":')
        connection = Connection(here)
        connection.end()
        body = Body(LengthReader(SocketUnreader(connection), 100))
        environ = {"gunicorn.socket": connection, "wsgi.input": body, "CONTENT_LENGTH": "100"}
        client = app.app.test_client()
        answer = client.post(path, headers=headers, environ_overrides=environ)

    assert (answer.status_code, answer.json["code"]) == (503, "closing")


def test_room_is_made_first_of_connections_on_which_no_request_has_begun(app: AppReceiver) -> None:
    sockets = [one for _ in range(3) for one in socket.socketpair()]
    begun, *idle = (Connection(one) for one in sockets[::2])
    begun.has_begun = True
    waiting = dict.fromkeys((begun, *idle))
    worker: Any = SimpleNamespace(wsgi=app.app, _waiting=waiting, _most_connections=10)
    try:
        for expected in (*idle, begun):
            left = [one for one in (begun, *idle) if not one.has_ended and one is not expected]
            Worker._make_room(worker)  # noqa: SLF001

            assert [one for one in (begun, *idle) if not one.has_ended] == left
        Worker._make_room(worker)  # noqa: SLF001 - with nobody there
    finally:
        for one in sockets:
            one.close()
