"""Bad inputs: requests that are odd, cut, slow or no HTTP at all."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from receiver.files import open_files
from receiver.senders.sources import write_sources
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import (
    KEY,
    Case,
    Line,
    Watch,
    bad_input,
    each,
    event,
    lands,
    must_come_of,
    refused,
    waits_of_good_senders,
)
from tests.support.receiver.fixtures import Refusal
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SEGMENT_GIVES_UP, SOURCES, new_id
from tests.support.receiver.server import RunningReceiver

EVENT = b'{"type":"track","messageId":"%ID%"}'
LENGTH = len(EVENT) - len("%ID%") + len(new_id())
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def wire(
    *headers: bytes,
    line: bytes = b"POST /webhooks/hooks HTTP/1.1",
    body: bytes = EVENT,
    length: bytes | None = b"%d" % LENGTH,
) -> bytes:
    """Return a whole request of a sender with the right key."""
    fields = [b"Host: x", b"Authorization: " + KEY["Authorization"].encode(), *headers]
    if length is not None:
        fields.append(b"Content-Length: " + length)
    return b"\r\n".join([line, *fields, b"", body])


def raw(number: str, what: str, status: int, *headers: bytes, **parts: object) -> Case:
    """A request that is refused, as it goes over the wire."""
    return refused(number, what, status, wire=wire(*headers, **parts))  # type: ignore[arg-type]


def odd(number: str, what: str, *headers: bytes, **parts: object) -> Case:
    """An odd request that lands nevertheless, as it goes over the wire."""
    sent = wire(*headers, **parts)  # type: ignore[arg-type]
    return Case(number, what, 200, (Line("track"),), wire=sent)


def chunks(*parts: bytes) -> bytes:
    """Return a chunked event: its first chunk, then what is given."""
    return b"%x\r\n" % LENGTH + EVENT + b"\r\n" + b"".join(parts)


def chunked(number: str, what: str, *parts: bytes) -> Case:
    """A chunked body with something wrong with it."""
    return raw(number, what, 400, CHUNKED[:-2], length=None, body=b"".join(parts))


def path(number: str, target: str, status: int = 404) -> Case:
    line = f"POST {target} HTTP/1.1".encode()
    return raw(number, f"the path `{target}`", status, line=line)


TYPES = {
    "no Content-Type": [],
    "text/plain": [b"Content-Type: text/plain"],
    "a form": [b"Content-Type: application/x-www-form-urlencoded"],
    "a form of parts": [b"Content-Type: multipart/form-data; boundary=x"],
    "a charset that does not exist": [b"Content-Type: application/json; charset=nonsense"],
}
FORWARDED = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "Forwarded": "for=6.6.6.6"}

CASES = [
    *(refused("B20", f"the method {method}", 405, method=method)
      for method in ("GET", "HEAD", "DELETE", "TRACE", "FOO")),
    *(lands("B20", f"the method {method}", event(), method=method) for method in ("PUT", "PATCH")),
    refused("B20", "PUT in the tracking API, which has POST alone", 405, method="PUT",
            path="/v1/track"),
    path("B21", "/unknown"),
    path("B21", "/"),
    path("B21", "/webhooks/"),
    path("B21", "/v1/track/../../etc/passwd"),
    path("B21", "/v1/%2e%2e/%2e%2e/etc/passwd"),
    path("B21", "/webhooks/hooks/../../v1"),
    path("B21", "/webhooks/..%2fhooks"),
    path("B21", "/static/x"),
    path("B21", "/v1/TRACK"),
    path("B21", "/webhooks/%ff", 401),
    path("B21", "/webhooks/hooks%00", 401),
    path("B21", "*", 400),
    odd("B21", "the path `//webhooks/hooks`", line=b"POST //webhooks/hooks HTTP/1.1"),
    odd("B21", "the path `/webhooks//hooks`", line=b"POST /webhooks//hooks HTTP/1.1"),
    odd("B21", "an absolute address of another host",
        line=b"POST http://evil/webhooks/hooks HTTP/1.1"),
    *(odd("B22", f"the type: {what}", *fields) for what, fields in TYPES.items()),
    odd("B25", "a chunked body", CHUNKED[:-2], length=None, body=chunks(b"0\r\n\r\n")),
    odd("B25", "chunks with extensions and a trailer", CHUNKED[:-2], length=None,
        body=b"%x;a=b\r\n" % LENGTH + EVENT + b"\r\n0\r\nX: y\r\n\r\n"),
    raw("B26", "a body of 500 bytes that ends before", 400, length=b"500"),
    chunked("B27", "chunks without an end", chunks()),
    chunked("B27", "a chunk that is cut", chunks(b"5\r\nab")),
    chunked("B27", "a last chunk that is cut", chunks(b"0\r\n")),
    chunked("B27", "a chunk whose size is no number", chunks(b"zz\r\n")),
    chunked("B27", "a chunk of a negative size", chunks(b"-1\r\n\r\n0\r\n\r\n")),
    chunked("B27", "a chunk of a size like `0x2`", chunks(b"0x2\r\nab\r\n0\r\n\r\n")),
    chunked("B27", "a chunk of 2⁶⁸ bytes", chunks(b"1" + b"0" * 17 + b"\r\n")),
    chunked("B27", "a chunk size of 100,000 digits", b"0" * 100_000 + chunks(b"0\r\n\r\n")),
    chunked("B27", "a chunk that is longer than it says", b"5\r\n" + EVENT + b"\r\n0\r\n\r\n"),
    chunked("B27", "chunks parted by bare line feeds", chunks(b"").replace(b"\r\n", b"\n")),
    raw("B28", "a length and chunks", 400, CHUNKED[:-2], body=chunks(b"0\r\n\r\n")),
    raw("B28", "two lengths", 400, b"Content-Length: 5"),
    raw("B28", "the same length twice", 400, b"Content-Length: %d" % LENGTH),
    *(raw("B28", f"the length `{length}`", 400, length=length.encode("latin-1"))
      for length in ("-1", "+5", "5, 5", "0x5", "5_0", "²", "", "9" * 5000)),
    odd("B28", "white space around the length, as HTTP allows", length=b" %d \t" % LENGTH),
    raw("B28", "chunks, chunked again", 400, b"Transfer-Encoding: chunked, chunked", length=None),
    raw("B28", "an encoding that is only almost chunked", 501, b"Transfer-Encoding: xchunked",
        length=None),
    raw("B28", "chunks in HTTP/1.0", 400, CHUNKED[:-2], length=None, body=chunks(b"0\r\n\r\n"),
        line=b"POST /webhooks/hooks HTTP/1.0"),
    raw("B29", "101 headers", 431, *(b"X-%d: 1" % number for number in range(101))),
    raw("B29", "65 headers of 16 KB", 431,
        *(b"X-%d: " % number + b"x" * 16_000 for number in range(65))),
    raw("B29", "a header of 20 KB", 431, b"X: " + b"x" * 20_000),
    raw("B29", "a header of 40 KB", 431, b"X: " + b"x" * 40_000),
    odd("B95", "12 kB of cookies", b"Cookie: " + b"x" * 12_000),
    raw("B29", "a request line of 9 KB", 414,
        line=b"POST /webhooks/hooks?" + b"x" * 9000 + b" HTTP/1.1"),
    raw("B29", "a header without a colon", 400, b"nonsense"),
    raw("B29", "a header that goes on in the next line", 400, b"X: a\r\n  b"),
    raw("B29", "HTTP/2.0 in words", 400, line=b"POST /webhooks/hooks HTTP/2.0"),
    raw("B29", "no HTTP version", 400, line=b"POST /webhooks/hooks"),
    refused("B29", "a TLS greeting", 0, wire=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03%ID%"),
    raw("B32", "an empty body", 400, length=b"0", body=b""),
    raw("B32", "no body at all", 400, length=None, body=b""),
    refused("B32", "a body of white space", 400, body=b" \r\n"),
    lands("B79", "headers that claim another sender", event(), headers=KEY | FORWARDED),
    lands("B79", "another host", event(),
          headers=KEY | {"Host": "evil", "X-Forwarded-Host": "evil"}),
    lands("B79", "headers that contradict each other about TLS", event(),
          headers=KEY | {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}),
    lands("B79", "headers that a server in front would set", event(),
          headers=KEY | {"SCRIPT_NAME": "/evil", "PATH_INFO": "/evil"}),
    lands("B82", "formulas and scripts in names and values",
          event(b'"event":"=cmd|\' /C calc\'!A0","<script>alert(1)</script>":"<img onerror=x>"')),
    lands("B83", "line breaks and log lines in an event",
          event(b'"event":"x\\r\\n{\\"event\\":\\"request\\",\\"status\\":200}\\u2028\\u001b[2J"')),
    refused("B83", "line breaks in the path", 404, path="/%0d%0a%7b%22event%22:%22forged%22%7d"),
    raw("B83", "a bare carriage return in a header", 400, b"X: a\rY: b"),
    raw("B83", "a bare line feed in a header", 400, b"X: a\nY: b\n"),
    raw("B83", "a NUL in a header", 400, b"X: a\0b"),
]  # fmt: skip


@each(CASES)
def test_no_request_lands_but_a_whole_one(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


def test_a_405_says_what_is_allowed(app: AppReceiver) -> None:
    allowed = app.get("/webhooks/hooks").headers["Allow"]

    assert set(allowed.split(", ")) == {"POST", "PUT", "PATCH", "OPTIONS"}


def test_no_answer_names_the_host_that_was_asked_for(app: AppReceiver) -> None:
    for target in ("/v1/track", "/v1/track/", "/unknown", "/webhooks/hooks"):
        for answer in (app.http.get(target, headers={"Host": "evil"}),
                       app.post(target, "{}", headers={"Host": "evil"})):  # fmt: skip
            assert not answer.is_redirect
            assert "evil" not in answer.text + str(answer.headers)


@bad_input("B83", "an unlucky `messageId`", "one log line per request, each of them JSON")
def test_no_event_makes_a_log_line(app: AppReceiver) -> None:
    before = len(app.log.read_text().splitlines())
    body = json.dumps({"type": "track", "messageId": 'x\n{"event":"forged"}\r\n\u2028\u0085'})

    app.post("/v1/track", body)

    (line,) = app.log.read_text().splitlines()[before:]
    assert json.loads(line)["event"] == "request"


SLOW = {
    "B30": ("slow headers", b"POST /v1/track HTTP/1.1\r\nX: "),
    "B31": ("a slow body", wire(length=b"5000", body=b"{")),
}


@contextmanager
def slow_senders(
    running: RunningReceiver, start: bytes, number: int
) -> Iterator[Callable[[], None]]:
    """Open connections that have begun a request; what is yielded sends a byte on each."""
    with ExitStack() as stack:
        connections = []
        for _ in range(number):
            one = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            one.sendall(start)
            connections.append(one)

        def trickle() -> None:
            for one in connections:
                one.sendall(b"x")

        yield trickle


@pytest.mark.parametrize("number", [
    pytest.param("B30", marks=bad_input("B30", "200 connections with a header byte now and then",
                                        "good events within 5 seconds")),
    pytest.param("B31", marks=bad_input("B31", "200 connections with a body byte now and then",
                                        "good events within 5 seconds")),
])  # fmt: skip
def test_slow_senders_hold_nobody_up(server: RunningReceiver, number: str) -> None:
    watch = Watch(server)
    waits: list[float] = []
    with slow_senders(server, SLOW[number][1], 200) as trickle:
        for _ in range(3):
            trickle()
            waits += waits_of_good_senders(server, 5)

    assert max(waits) < SEGMENT_GIVES_UP
    watch.must_be_unharmed()


@bad_input("B23", "a refused body that never ends", "the connection is closed, good events within "
           "5 seconds")  # fmt: skip
@pytest.mark.parametrize("line", [b"POST /v1/track HTTP/1.1", b"POST /unknown HTTP/1.1",
                                  b"GET /health/live HTTP/1.1"])  # fmt: skip
def test_a_body_that_nobody_reads_holds_nobody_up(server: RunningReceiver, line: bytes) -> None:
    watch = Watch(server)
    start = line + b"\r\nHost: x\r\nAuthorization: Basic x\r\nContent-Length: 1000000000000\r\n\r\n"
    closed_after = None
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as endless:
        endless.sendall(start)
        for sent in range(1, 200):
            try:
                endless.sendall(b" " * (1 << 20))
            except ConnectionError:
                closed_after = sent
                break
    assert closed_after is not None
    watch.must_be_unharmed()


@bad_input("B85", "links planted under the next files' names", "another name, the link untouched")
def test_a_planted_link_is_not_followed(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    (tmp_path / "landing" / "track").mkdir(parents=True, mode=0o700)
    (tmp_path / "landing").chmod(0o700)
    for number in range(4):
        link = tmp_path / "landing" / "track" / f"name-{number}.ndjson.open"
        link.symlink_to(target if number % 2 else tmp_path / "missing")
    monkeypatch.setattr(open_files, "file_names", lambda: (f"name-{n}" for n in range(1000)))
    receiver = make_app()
    message_id = new_id()

    assert receiver.post("/v1/track", json.dumps({"messageId": message_id})).status_code == 200
    receiver.close()
    (landed,) = (path for path in (tmp_path / "landing").glob("*/*.ndjson") if path.is_file())
    assert (landed.name, message_id in landed.read_text()) == ("name-4.ndjson", True)
    assert target.read_text() == "theirs"
    assert not (tmp_path / "missing").exists()


def everybody(landing: Path, _: pytest.MonkeyPatch) -> None:
    landing.chmod(0o777)


def everybody_in_a_folder(landing: Path, _: pytest.MonkeyPatch) -> None:
    (landing / "track").mkdir()
    (landing / "track").chmod(0o777)


def linked_folder(landing: Path, _: pytest.MonkeyPatch) -> None:
    (landing / "track").symlink_to(landing.parent)


def another_user(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: own)


def another_user_in_a_folder(landing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (landing / "suppressed").mkdir(mode=0o700)
    look = Path.lstat

    def lstat(path: Path) -> os.stat_result:
        found = look(path)
        uid = found.st_uid + (path.name == "suppressed")
        return os.stat_result((*found[:4], uid, *found[5:]))

    monkeypatch.setattr(Path, "lstat", lstat)


@bad_input("B86", "a landing folder that others can write to, or that belongs to another user",
           "no start, and one line that says why")  # fmt: skip
@pytest.mark.parametrize(("spoil", "said"), [
    (everybody, "landing can be written to by everybody"),
    (everybody_in_a_folder, "track can be written to by everybody"),
    (linked_folder, "track is not a folder"),
    (another_user, "landing belongs to another user"),
    (another_user_in_a_folder, "suppressed belongs to another user"),
])  # fmt: skip
def test_a_landing_folder_that_is_not_ours_alone_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Refusal,
    spoil: Callable[[Path, pytest.MonkeyPatch], None],
    said: str,
) -> None:
    write_sources(tmp_path / "sources.toml", SOURCES)
    (tmp_path / "landing").mkdir(mode=0o700)
    spoil(tmp_path / "landing", monkeypatch)

    message = refusal()

    assert said in message
    assert "SEAMLINE_LANDING" in message
    assert "\n" not in message


ANNA = b'{"kind":"user","hash":"%b","suppressed":true}\n' % (b"a" * 64)


def no_key(folder: Path) -> None:
    (folder / "list.ndjson").write_bytes(ANNA)


def no_line(folder: Path) -> None:
    (folder / "list.ndjson").write_bytes(ANNA[9:])


def no_file(folder: Path) -> None:
    (folder / "list.ndjson").symlink_to(folder / "nowhere")


UNREADABLE = pytest.mark.parametrize(
    ("spoil", "said"),
    [(no_key, "No such file"), (no_line, "no line of"), (no_file, "symbolic links")],
)


@bad_input("B177", "a list of suppressed people that cannot be read, or is another user's",
           "no start, and one line that says why; 503 while none was read yet")  # fmt: skip
@UNREADABLE
def test_a_list_of_suppressed_people_that_cannot_be_read_is_refused(
    tmp_path: Path, refusal: Refusal, spoil: Callable[[Path], None], said: str
) -> None:
    write_sources(tmp_path / "sources.toml", SOURCES)
    folder = tmp_path / "landing" / "suppressed"
    folder.mkdir(parents=True, mode=0o700)
    spoil(folder)

    message = refusal()

    assert said in message
    assert f"chown -R {os.geteuid()} {folder}" in message
    assert "\n" not in message


@UNREADABLE
def test_nothing_lands_while_nobody_knows_who_is_suppressed(
    make_app: Callable[..., AppReceiver], spoil: Callable[[Path], None], said: str
) -> None:
    app = make_app()
    folder = app.landing / "suppressed"
    folder.mkdir(mode=0o700)
    spoil(folder)

    answer = app.post("/v1/track", b'{"userId":"anna"}')

    assert (answer.status_code, answer.json()["code"]) == (503, "suppressed_not_read")
    assert said in app.log.read_text()
