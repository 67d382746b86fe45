"""Logs: one JSON line per request, and nothing of what was sent."""

import errno
import io
import json
import os
import re
import socket
from collections.abc import Callable
from contextlib import redirect_stderr

import pytest
import structlog

from receiver.server.logs import configure_logs
from tests.support.faults.failing_disk import fails_with
from tests.support.processes import eventually
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


def test_a_log_on_a_full_disk_changes_no_answer_and_stops_nothing(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(io.StringIO):
        write = fails_with(errno.ENOSPC)

    running = make_app()
    with redirect_stderr(FullDisk()):
        configure_logs()
    running._logs = structlog.get_config()  # noqa: SLF001 - what it would do with this stderr
    with monkeypatch.context() as full:
        full.setattr(os, "write", fails_with(errno.ENOSPC))
        refused = running.post("/v1/track", "{}")
    assert (refused.status_code, refused.json()["code"]) == (503, "disk_full")

    assert eventually(lambda: running.post("/v1/track", "{}").status_code == 200)
    assert not running.fatal.is_set()
    (lost,) = re.findall(r"\nseamline_log_lines_lost_total (\S+)", running.get("/metrics").text)
    assert float(lost) >= 3
