"""Bad inputs as data: what is sent, what has to come of it, and what has to hold after each.

A `Case` is one request and its outcome. A test with a story longer than one request carries
`bad_input` instead. docs/bad-inputs.md is made of both.
"""

import base64
import http.client
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from receiver.senders.scopes import Kind
from tests.support.receiver.landing import Landing, payload_of
from tests.support.receiver.senders import SEGMENT_GIVES_UP, SOURCES, basic, new_id
from tests.support.receiver.server import RunningReceiver

KEY = basic("hooks-key")
SECRETS = [text for one in SOURCES for kind in Kind for text in one.of_kind(kind)]
REQUEST_FIELDS = {"method", "route", "status", "source", "events", "rejected", "bytes"}

Headers = Mapping[str, str] | list[tuple[str, str]]


class Line(NamedTuple):
    """A landed line: its folder, its bytes (None: the whole body as sent), why it is rejected."""

    folder: str
    text: bytes | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Case:
    """One request, and what has to come of it. `%ID%` in it becomes an id of its own."""

    number: str
    input: str
    status: int
    lines: tuple[Line, ...] = ()
    body: bytes | Callable[[], bytes] = b'{"type":"track","messageId":"%ID%"}'
    """What is sent, or what makes it: a body that takes long to make is made when it is sent."""
    headers: Headers | Callable[[bytes], Headers] = field(default_factory=lambda: KEY)
    path: str = "/webhooks/hooks"
    method: str = "POST"
    wire: bytes | None = None
    """The whole request as it goes over the wire, where a client would not send such a one."""

    @property
    def title(self) -> str:
        """The number and the input: the test's id."""
        return f"{self.number} {self.input}"

    @property
    def answer(self) -> str:
        """The outcome in words."""
        if not self.status:
            return "the connection is closed, nothing lands"
        if self.status != 200:
            return f"{self.status}, nothing lands"
        words = [_in_words(line) for line in self.lines]
        return ", ".join(["200", *sorted(set(words), key=words.index)] if words else ["200, empty"])


def _in_words(line: Line) -> str:
    if line.reason:
        return f"`rejected/`: `{line.reason}`"
    return f"lands as `{line.folder}`"


def event(members: bytes = b"", call: bytes = b"track") -> bytes:
    """Return an event with some more members."""
    return b'{"type":"%b","messageId":"%%ID%%"%b}' % (call, b"," + members if members else b"")


def pages(number: int, beside: str = "") -> bytes:
    """Return a batch of events with nothing in them."""
    events = b",".join([b'{"type":"page"}'] * number)
    return b'{"batch":[%b],"x":"%b"}' % (events, beside.encode())


def lands(number: str, what: str, body: bytes, folder: str = "track", **more: object) -> Case:
    """A body that is one event and lands as it came."""
    return Case(number, what, 200, (Line(folder),), body, **more)  # type: ignore[arg-type]


def rejected(
    number: str, what: str, body: bytes | Callable[[], bytes], reason: str, **more: object
) -> Case:
    """A body that lands whole in `rejected/`."""
    lines = (Line("rejected", None, reason),)
    return Case(number, what, 200, lines, body, **more)  # type: ignore[arg-type]


def refused(number: str, what: str, status: int, **more: object) -> Case:
    """A request that is answered otherwise than 200, and lands nothing."""
    return Case(number, what, status, **more)  # type: ignore[arg-type]


def bad_input(number: str, what: str, answer: str) -> pytest.MarkDecorator:
    """Mark a test of a bad input that is more than one request."""
    return pytest.mark.bad_input(number, what, answer)


def each(cases: Iterable[Case]) -> pytest.MarkDecorator:
    """Run a test with each case."""
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.title)


class Answer(NamedTuple):
    """What came back: status 0 for a connection that was closed without a word."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes = b""


def send(receiver: Landing, case: Case, marker: bytes) -> tuple[Answer, bytes]:
    """Send a case; return the answer and the body as sent."""
    body = case.body() if callable(case.body) else case.body
    body = body.replace(b"%ID%", marker)
    if case.wire is not None:
        return send_wire(receiver, case.wire.replace(b"%ID%", marker)), body
    headers = case.headers(body) if callable(case.headers) else case.headers
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    answer = receiver.http.request(case.method, case.path, content=body, headers=encoded)
    return Answer(answer.status_code, answer.headers, answer.content), body


def send_wire(running: Landing, wire: bytes) -> Answer:
    """Send bytes, end the sending side, and read the answer."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        with suppress(ConnectionError):  # it may have answered, and closed, before the end
            connection.sendall(wire)
            with suppress(OSError):  # it has been closed on us already
                connection.shutdown(socket.SHUT_WR)
        response = http.client.HTTPResponse(connection)
        try:
            response.begin()
        except (http.client.BadStatusLine, ConnectionError):
            return Answer(0)
        body = b""
        with suppress(ConnectionError):
            body = response.read()
        return Answer(response.status, dict(response.headers), body)


class Watch:
    """A receiver's files, log and processes before an attack, to compare with those after it."""

    def __init__(self, receiver: Landing) -> None:
        """Remember how everything stands."""
        self._receiver = receiver
        self._sizes = {_name(path): _current(path).stat().st_size for path in self._paths()}
        self._log = receiver.log.stat().st_size
        self._processes = receiver.processes()

    def _paths(self) -> list[Path]:
        return sorted(self._receiver.landing.glob("*/*.ndjson*"), key=_name)

    def new_lines(self) -> list[Line]:
        """Return what has landed since, folder by folder."""
        found = []
        for path in self._paths():
            with _current(path).open("rb") as file:
                file.seek(self._sizes.get(_name(path), 0))
                new = file.read()
            found += [_parsed(path.parent.name, line) for line in new.splitlines(keepends=True)]
        return found

    def must_be_unharmed(self, answer: Answer | None = None, *sent: str) -> None:
        """Fail unless the receiver lives, has told nothing, and takes the next event at once."""
        assert self._receiver.processes() == self._processes
        if answer:
            assert b"Traceback" not in answer.body
            assert b".py" not in answer.body
        self._log_must_tell_nothing([*SECRETS, *filter(None, sent)])
        started = time.monotonic()
        assert self._receiver.post("/v1/track", "{}").status_code == 200
        assert time.monotonic() - started < SEGMENT_GIVES_UP

    def _log_must_tell_nothing(self, secrets: list[str]) -> None:
        with self._receiver.log.open("rb") as log:
            log.seek(self._log)
            text = log.read().decode()
        for line in map(json.loads, text.splitlines()):
            if line["event"] == "request":
                assert line.keys() >= REQUEST_FIELDS
        assert [secret for secret in secrets if secret in text] == []
        assert "Traceback" not in text


def must_come_of(case: Case, receiver: Landing) -> None:
    """Send a case; fail unless its answer, its lines and the receiver's state are as they must."""
    watch = Watch(receiver)
    marker = new_id()
    answer, body = send(receiver, case, marker.encode())

    assert answer.status == case.status
    assert sorted(watch.new_lines()) == sorted(expected_lines(case, body, marker))
    if case.status == 200:
        assert answer.body == b'{"success": true}'
    watch.must_be_unharmed(answer, marker, *header_values(case, body))


def expected_lines(case: Case, body: bytes, marker: str) -> list[Line]:
    """Return the lines a case has to land."""
    whole = body if any(one.reason for one in case.lines) else body.strip(b" \t\r\n")
    texts = [whole if one.text is None else one.text for one in case.lines]
    return [
        one._replace(text=text.replace(b"%ID%", marker.encode()))
        for one, text in zip(case.lines, texts, strict=True)
    ]


def header_values(case: Case, body: bytes) -> list[str]:
    """Return the credentials in a case's headers, and its query string."""
    headers = case.headers(body) if callable(case.headers) else case.headers
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    told = [value for name, value in pairs if name in ("Authorization", "X-Signature")]
    return [*told, case.path.partition("?")[2]]


def waits_of_good_senders(running: RunningReceiver, number: int = 50) -> list[float]:
    """Send good events one after the other; return the seconds each took, the longest last."""
    waits = []
    for _ in range(number):
        started = time.monotonic()
        assert running.post("/v1/track", "{}").status_code == 200
        waits.append(time.monotonic() - started)
        time.sleep(0.02)
    return sorted(waits)


def cpu_seconds(running: RunningReceiver) -> float:
    """Return the processor time the workers have used."""
    times = [psutil.Process(pid).cpu_times() for pid in running.workers()]
    return sum(one.user + one.system for one in times)


def cpu_seconds_of_unpacking(packed: bytes) -> float:
    """Return the processor time that it costs here and now."""
    started = time.process_time()
    zlib.decompressobj(wbits=31).decompress(packed)
    return time.process_time() - started


def _current(path: Path) -> Path:
    """Return where a file stands now: it may have been sealed since we looked."""
    return path if path.exists() else path.with_suffix("")


def _name(path: Path) -> str:
    return path.name.removesuffix(".open")


def _parsed(folder: str, line: bytes) -> Line:
    if folder == "rejected":
        fields = json.loads(line)
        return Line(folder, base64.b64decode(fields["body"]), fields["reason"])
    return Line(folder, payload_of(line))
