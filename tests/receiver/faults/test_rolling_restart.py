"""F03, step by step: a rolling restart has somebody listening at every moment, and refuses nobody.

In the test's own process; `test_kills.py` restarts a receiver under load.
"""

import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import socket as green
from gunicorn.arbiter import Arbiter
from gunicorn.sock import TCPSocket

from receiver.senders.sources import load_sources
from receiver.server import application
from receiver.server.application import Server
from receiver.server.worker import Worker
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import landed_ids

MakeApp = Callable[..., AppReceiver]

SOON = 10
"""Seconds after which a step that was to come has not come."""


class Log(logging.Logger):
    """gunicorn's log, which nobody reads here."""

    def access(self, *_: object) -> None:
        """Take a request."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """What the master listens on, as long as it lives."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker look more often than once a second whether it is to stop."""
    sleep = gevent.sleep
    monkeypatch.setattr(gevent, "sleep", lambda _: sleep(0.001))


def started(receiver: AppReceiver, listener: socket.socket) -> tuple[Worker, gevent.Greenlet]:
    """A worker of an application, as the master forks one: it has the listener's socket too."""
    config = Server(receiver.settings, load_sources(receiver.settings.sources)).cfg
    own = green.socket(fileno=os.dup(listener.fileno()))
    worker = Worker(1, os.getppid(), [own], None, 30, config, Log("gunicorn"))
    worker.pid, worker.wsgi = os.getpid(), receiver.app
    return worker, gevent.spawn(worker.run)


def connected(listener: socket.socket) -> Any:
    return green.create_connection(listener.getsockname(), timeout=SOON)


def request(message_id: str) -> bytes:
    body = b'{"event":"Paid","messageId":"%b"}' % message_id.encode()
    head = (
        "POST /v1/track HTTP/1.1",
        "Host: x",
        "Authorization: Basic d2ViLWtleTo=",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def until(has_come: Callable[[], object]) -> None:
    """Let everybody run until something has come."""
    with gevent.Timeout(SOON):
        while not has_come():
            gevent.sleep(0.001)


def test_a_worker_that_stops_answers_what_it_has_and_the_next_takes_what_it_leaves(
    make_apps: Callable[..., AppReceiver], listener: socket.socket
) -> None:
    before, after = make_apps(), make_apps()
    old, ends = started(before, listener)
    idle, in_flight = connected(listener), connected(listener)
    idle.sendall(request("answered"))
    assert b" 200 " in idle.recv(10_000)
    in_flight.sendall(request("in-flight")[:-5])
    until(lambda: (len(old._connections), len(old._waiting)) == (2, 1))  # noqa: SLF001

    old.handle_exit(signal.SIGTERM, None)
    assert idle.recv(1) == b""
    late = connected(listener)  # nobody takes it, but the system does
    late.sendall(request("late"))
    in_flight.sendall(request("in-flight")[-5:])

    assert b" 200 " in in_flight.recv(10_000)
    ends.join(SOON)
    assert ends.successful()
    application._close(None, old)  # noqa: SLF001 - as gunicorn does when a worker has ended
    assert before.open_files() == []
    new, _ = started(after, listener)
    assert b" 200 " in late.recv(10_000)
    new.handle_exit(signal.SIGTERM, None)
    assert landed_ids(before.landing) == {"answered", "in-flight"}
    assert landed_ids(after.landing) == {"late"}


def test_the_master_listens_on_one_socket_and_stops_the_old_workers_last(
    make_apps: Callable[..., AppReceiver],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_apps(workers=2).settings
    monkeypatch.setattr(application, "server_logs", dict)
    pids = iter(range(1_000_001, 1_000_100))
    steps: list[tuple[str, int]] = []
    clients = []

    def noted(step: str, pid: int) -> int:
        steps.append((step, pid))
        clients.append(socket.create_connection(address, timeout=SOON))
        return pid

    def kill(pid: int, _signal: int) -> None:
        noted("stopped", pid)
        del master.WORKERS[pid]

    monkeypatch.setattr(Arbiter, "WORKERS", {})
    monkeypatch.setattr(os, "fork", lambda: noted("started", next(pids)))
    master = Arbiter(Server(settings, load_sources(settings.sources)))
    master.pid = os.getpid()
    monkeypatch.setattr(master, "kill_worker", kill)
    listening = TCPSocket(("127.0.0.1", 0), master.cfg, master.log)
    monkeypatch.setattr(master, "LISTENERS", [listening])
    address = listening.sock.getsockname()

    master.spawn_workers()
    master.reload()

    first, second, third, fourth = range(1_000_001, 1_000_005)
    assert steps == [
        *(("started", pid) for pid in (first, second, third, fourth)),
        *(("stopped", pid) for pid in (first, second)),
    ]
    assert {listener for worker in master.WORKERS.values() for listener in worker.sockets} == {
        listening
    }
    for client in clients:
        client.close()
    listening.close()
