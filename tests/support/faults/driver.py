"""Senders that remember what they were promised, and the judge that holds the receiver to it.

The oracle: every event answered 2xx is landed, byte for byte; none that was never sent is; a
sealed file has whole lines only. Nothing else is required: an event without an answer, or with
another, may be landed or not.
"""

import hashlib
import http.client
import json
import random
import socket
import time
import uuid
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakSet

import pytest

from orchestration.loading.landed_file import read, sealed_files
from receiver.files.recovery import recover
from tests.support.processes import eventually
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import WEB
from tests.support.receiver.server import RunningReceiver

CALLS = ("track", "page", "identify")
AUTHORIZED = b"Host: x\r\nAuthorization: " + WEB["Authorization"].encode() + b"\r\n"
_PAUSE = 0.02
_LAST_BREATH = 30
_COMES_AGAIN = 0.05


class Event(NamedTuple):
    """One event to be sent."""

    message_id: str
    call: str
    body: bytes


class Sent(NamedTuple):
    """One event that was sent, and what became of the request it was in."""

    message_id: str
    sha256: str
    status: int | None
    sent: float
    answered: float

    @property
    def promised(self) -> bool:
        """Whether the receiver said that it has it."""
        return self.status is not None and 200 <= self.status < 300


def make_event(
    chance: random.Random, size: int | None = None, calls: Sequence[str] = CALLS
) -> Event:
    """Return a new event with odd bytes in it."""
    message_id = f"fault-{uuid.UUID(int=chance.getrandbits(128))}"
    call = chance.choice(calls)
    filling = "é\u2028\U0001f600x" * (chance.randrange(400) if size is None else size // 11)
    body = (
        f'{{ "messageId":"{message_id}","type":"{call}" , "n":1.10,'
        f'"big":12345678901234567890123,"e":"\\u00e9","f":"{filling}"}}'
    )
    return Event(message_id, call, body.encode())


def make_events(count: int, size: int | None = None) -> list[Event]:
    """Return that many new events."""
    chance = random.Random()  # noqa: S311
    return [make_event(chance, size) for _ in range(count)]


_driving: WeakSet[Any] = WeakSet()


def end_all() -> None:
    """Tell every driver that still sends to end, and wait for none."""
    for driver in list(_driving):
        driver.end()


class Driver:
    """Senders that post events until told to stop, each id with its status in a list."""

    def __init__(
        self,
        running: Landing,
        senders: int = 4,
        batch: int = 1,
        size: int | None = None,
        seed: int | None = None,
        calls: Sequence[str] = CALLS,
    ) -> None:
        """Start sending.

        Args:
            running: whom to; may be replaced by assigning to `running`.
            senders: how many send at once.
            batch: how many events a request has at most.
            size: about how many bytes an event has.
            calls: which calls the events are.
            seed: makes the events the same ones again.
        """
        self.running = running
        self.sent: list[Sent] = []
        self._batch = batch
        self._size = size
        self._calls = calls
        self._stopped = False
        self._pool = ThreadPoolExecutor(senders)
        _driving.add(self)
        seeds = random.Random(seed)  # noqa: S311
        self._senders = [
            self._pool.submit(self._send_all, random.Random(seeds.random()))  # noqa: S311
            for _ in range(senders)
        ]

    def promised(self, since: float = 0) -> int:
        """Return how many events were promised of those that were sent since then."""
        return sum(one.promised for one in list(self.sent) if one.sent > since)

    def promises(self, more: int = 1) -> bool:
        """Wait until more of the events that are sent from now on are promised."""
        since = time.monotonic()
        return eventually(lambda: self.promised(since) >= more)

    def end(self) -> None:
        """Begin no other request."""
        self._stopped = True

    def stop(self) -> list[Sent]:
        """Stop sending; return what was sent."""
        self.end()
        for sender in self._senders:
            sender.result(60)
        self._pool.shutdown()
        with (self.running.landing.parent / "sent.ndjson").open("a") as log:
            log.writelines(json.dumps(one._asdict()) + "\n" for one in self.sent)
        return self.sent

    def _send_all(self, chance: random.Random) -> None:
        running, connection = self.running, self.running.connect()
        events: list[Event] = []
        while not self._stopped:
            # As senders do, an event comes again now and then.
            if not events or chance.random() > _COMES_AGAIN:
                count = chance.randint(1, self._batch)
                events = [make_event(chance, self._size, self._calls) for _ in range(count)]
            if running is not self.running:
                running, connection = self.running, self.running.connect()
            if not is_promised(connection, events, self.sent):
                connection.close()
                time.sleep(_PAUSE)


def is_promised(connection: Any, events: list[Event], sent: list[Sent]) -> bool:
    """Send events as one request, note what became of it, and say whether it was promised."""
    started = time.monotonic()
    status = None
    if len(events) == 1:
        path, body = f"/v1/{events[0].call}", events[0].body
    else:
        path, body = "/v1/batch", b'{"batch":[%b]}' % b",".join(event.body for event in events)
    try:
        connection.request("POST", path, body, WEB)
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except (OSError, http.client.HTTPException):
        connection.close()
    now = time.monotonic()
    for event in events:
        sha256 = hashlib.sha256(event.body).hexdigest()
        sent.append(Sent(event.message_id, sha256, status, started, now))
    return sent[-1].promised


def post_events(running: Landing, events: Iterable[Event], timeout: float = 30) -> list[Sent]:
    """Send events, each in a request and a connection of its own; return what became of them."""
    sent: list[Sent] = []
    for event in events:
        connection = running.connect(timeout)
        is_promised(connection, [event], sent)
        connection.close()
    return sent


def post_until_promised(
    running: Landing, event: Event | None = None, seconds: float = 60
) -> list[Sent]:
    """Send an event, or a new one, until it is promised; return every try, or fail the test."""
    event = event or make_events(1)[0]
    sent: list[Sent] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        sent += post_events(running, [event])
        if sent[-1].promised:
            return sent
        time.sleep(_PAUSE)
    pytest.fail(f"nothing was accepted again: {sent[-1].status}, {running.log.read_text()[-2000:]}")


def settle(running: Landing) -> None:
    """End a receiver the hard way, and seal what it left, as its successor would."""
    running.kill()
    deadline = time.monotonic() + _LAST_BREATH
    recover(running.landing)
    # A killed process that waits for the disk holds its files until the disk has answered.
    while any(running.landing.glob("*/*.open")) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        recover(running.landing)


def connect(running: RunningReceiver) -> socket.socket:
    """Open a connection of one's own."""
    return socket.create_connection(("127.0.0.1", running.port), timeout=20)


def begin(running: RunningReceiver, length: int, path: bytes = b"/v1/track") -> socket.socket:
    """Open a connection and announce a body."""
    connection = connect(running)
    head = b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n"
    connection.sendall(head % (path, AUTHORIZED, length))
    return connection


def status(connection: socket.socket) -> int:
    """Return an answer's status; 0 if the connection ended without one."""
    words = connection.makefile("rb").readline().split()
    return int(words[1]) if words else 0


class Verdict(NamedTuple):
    """What the judge found; `faults` has to be empty."""

    promised: int
    landed: int
    lost: set[str]
    never_sent: set[str]
    changed: set[str]
    damaged: list[str]

    @property
    def faults(self) -> dict[str, object]:
        """Everything that is held against the receiver."""
        return {
            name: found
            for name, found in self._asdict().items()
            if type(found) is not int and found
        }


def judge(landing: Path, sent: Iterable[Sent]) -> Verdict:
    """Compare what was promised with the sealed files, as the loader reads them."""
    known = {}
    promised = set()
    for one in sent:
        known.setdefault(one.message_id, set()).add(one.sha256)
        if one.promised:
            promised.add(one.message_id)
    landed: set[str] = set()
    changed, damaged = set(), []
    for file in sealed_files(landing):
        contents = read(file)
        damaged += [f"{file.name}: {one.reason}" for one in contents.rejects]
        for line in contents.lines:
            landed.add(line.message_id)
            sha256 = hashlib.sha256(line.payload).hexdigest()
            if sha256 not in known.get(line.message_id, {sha256}):
                changed.add(line.message_id)
    return Verdict(
        len(promised), len(landed), promised - landed, landed - known.keys(), changed, damaged
    )
