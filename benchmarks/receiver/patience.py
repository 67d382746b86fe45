"""Patience: what half-sent and cut bodies do to a server, with the receiver in it."""

import contextlib
import socket
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.receiver.servers import Command, Running, running
from benchmarks.receiver.wrk import AUTHORIZATION

SLOW_CLIENTS = (60, 200)
_OTHERS = 20
_TIMEOUT = 3.0
_HEAD = f"POST /v1/track HTTP/1.1\r\nHost: bench\r\nAuthorization: {AUTHORIZATION}\r\n"
_BODY = b'{"event":"Bench"}'
_WHOLE = f"{_HEAD}Connection: close\r\nContent-Length: {len(_BODY)}\r\n\r\n".encode() + _BODY
_HALF = f"{_HEAD}Content-Length: 1000\r\n\r\n".encode() + _BODY
_HALF_CHUNKED = f"{_HEAD}Transfer-Encoding: chunked\r\n\r\n11\r\n".encode() + _BODY + b"\r\n"


class Patience(NamedTuple):
    """How a server bears it.

    Attributes:
        slowest_ms: for each number of half-sent bodies, the slowest answer to somebody else;
            None if one got no answer.
        cut: the status of the answer to a body shorter than its Content-Length, "" if none.
        cut_chunked: the same, for a chunked body without its end.
    """

    slowest_ms: dict[int, float | None]
    cut: str
    cut_chunked: str


def patience_of(command: Command, folder: Path) -> Patience:
    """Try a server."""
    with running(command, folder / "server") as server:
        _send(server, _WHOLE)
        slowest = {number: _slowest(server, number) for number in SLOW_CLIENTS}
    # A server that is stuck is not asked any more.
    with running(command, folder / "server") as server:
        _send(server, _WHOLE)
        return Patience(slowest, _send(server, _HALF), _send(server, _HALF_CHUNKED))


def _slowest(server: Running, slow_clients: int) -> float | None:
    with contextlib.ExitStack() as half_sent:
        for _ in range(slow_clients):
            one = socket.create_connection(("127.0.0.1", server.port), _TIMEOUT)
            half_sent.enter_context(one).sendall(_HALF)
        times = []
        for _ in range(_OTHERS):
            started = time.perf_counter()
            if _send(server, _WHOLE) != "200":
                return None
            times.append((time.perf_counter() - started) * 1000)
    return max(times)


def _send(server: Running, request: bytes) -> str:
    """Send a request and no more; return the status of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), _TIMEOUT) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(4096)
        except OSError:  # no answer in time, or the connection was reset
            return ""
    return answer[9:12].decode()
