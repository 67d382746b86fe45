"""Logs: one JSON line per request, and nothing of what was sent."""

import json
import os
import socket
import subprocess
import sys

import pytest

from tests.support.receiver import RunningReceiver, basic, new_id


def requests_logged(server: RunningReceiver) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    return [line for line in lines if line["event"] == "request"]


def test_a_request_is_one_line(server: RunningReceiver) -> None:
    before = len(requests_logged(server))
    body = '{"batch":[{"type":"track"},{"type":"nonsense"}]}'

    server.post("/v1/batch", body)

    (line,) = requests_logged(server)[before:]
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
    for line in server.log.read_text().splitlines():
        json.loads(line)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_line_is_one_write(unbuffered: str) -> None:
    """Or the workers, who share one stderr, would write into each other's lines."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)  # a datagram is one write
    code = "from receiver.logs import *; configure_logs(); log.info('one'); log.warning('two')"
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stderr=theirs,
        check=True,
    )

    for event in ("one", "two"):
        line = ours.recv(10_000)
        assert json.loads(line)["event"] == event
        assert line.endswith(b"\n")
