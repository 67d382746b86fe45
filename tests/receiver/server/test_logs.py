"""Logs: one JSON line per request, and nothing of what was sent."""

import io
import json
import socket
from contextlib import redirect_stderr

import pytest
import structlog

from receiver.server.logs import configure_logs
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id
from tests.support.receiver.server import RunningReceiver


def test_a_request_is_one_line(app: AppReceiver) -> None:
    before = len(app.logged())
    body = '{"batch":[{"type":"track"},{"type":"nonsense"}]}'

    app.post("/v1/batch", body)

    (line,) = app.logged()[before:]
    assert line["method"] == "POST"
    assert line["route"] == "/v1/batch"
    assert line["status"] == 200
    assert line["events"] == 2
    assert line["rejected"] == 1
    assert line["bytes"] == len(body)
    assert line["source"] == "web"
    assert isinstance(line["duration_ms"], float)


def test_nothing_that_was_sent_is_logged(server: RunningReceiver) -> None:
    secret = new_id()
    signed = basic(secret) | {"X-Signature": secret}
    server.post(f"/v1/track?key={secret}", f'{{"email":"{secret}"}}')
    server.post(f"/{secret}", secret, headers=signed)
    server.post(f"/webhooks/{secret}", secret, headers=signed)
    for start in (f"GET /{secret}{'x' * 5000} HTTP/1.1", f"GET / {secret}", f"{secret} / HTTP/1.1"):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(f"{start}\r\nBad Header {secret}: x\r\n\r\n".encode())
            connection.recv(1000)

    log = server.log.read_text()
    assert secret not in log
    assert '"Invalid request"' in log


def test_all_lines_are_json(server: RunningReceiver) -> None:
    lines = server.log.read_text().splitlines()

    assert lines
    assert all(type(json.loads(line)) is dict for line in lines)


@pytest.mark.parametrize("unbuffered", [False, True])
def test_a_line_is_one_write(unbuffered: bool) -> None:
    """Or the workers, who share one stderr, would write into each other's lines."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # a datagram is one write
    # As Python opens stderr, and as it does with PYTHONUNBUFFERED.
    plain = open(theirs.fileno(), "w", buffering=1, closefd=False)  # noqa: SIM115
    stderr = io.TextIOWrapper(plain.buffer.raw, write_through=True) if unbuffered else plain
    try:
        with redirect_stderr(stderr):
            configure_logs()
        structlog.configure(cache_logger_on_first_use=False)
        structlog.get_logger().info("one")
        structlog.get_logger().warning("two")
    finally:
        structlog.reset_defaults()

    for event in ("one", "two"):
        line = ours.recv(10_000)
        assert json.loads(line)["event"] == event
        assert line.endswith(b"\n")
