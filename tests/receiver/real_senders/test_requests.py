"""What real senders do with addresses, headers and paths."""

import gzip
import json

import pytest

from receiver.server import logs
from tests.support.receiver.attack import bad_input
from tests.support.receiver.in_process import InProcess
from tests.support.receiver.senders import WEB

DEVICE = b'{"messageId":"m","context":{"direct":true}}'


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("203.0.113.7:54321", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("  203.0.113.7 : 80", None),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"),
        ("[::ffff:203.0.113.7]:80", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7:1, 127.0.0.1:8080", "203.0.113.7"),
        ("203.0.113.7,", "203.0.113.7"),
        ("6.6.6.6, 203.0.113.7 , ,", "203.0.113.7"),
        (",203.0.113.7, ,127.0.0.1,", "203.0.113.7"),
        (",", "127.0.0.1"),
        ("203.0.113.7:port", None),
        ("[203.0.113.7", None),
        ("unknown", None),
    ],
)
@bad_input("B91", "a port, brackets, quotes or a zone in `X-Forwarded-For`", "the bare address")
def test_a_proxy_may_write_a_port_behind_an_address(
    inside: InProcess, hop: str, address: str | None
) -> None:
    inside.send("/v1/track", DEVICE, {**WEB, "X-Forwarded-For": hop})

    (line,) = inside.landed("track")
    assert line["payload"]["context"].get("ip") == address


@pytest.mark.parametrize(
    ("path", "call"),
    [("/v1//t", "track"), ("//v1/track", "track"), ("/v1///page//", "page"), ("//b", "track")],
)
@bad_input("B92", "a run of slashes in a path", "200, as with one")
def test_slashes_in_a_row_are_one(inside: InProcess, path: str, call: str) -> None:
    body = b'{"type":"%b","batch":[{"type":"track"}]}' % call.encode()

    assert inside.send(path, body).status_code == 200
    assert len(inside.landed(call)) == 1


def test_slashes_in_a_row_are_one_on_every_road(inside: InProcess) -> None:
    hooks = {"Authorization": "Basic aG9va3Mta2V5Og=="}
    assert inside.send("//webhooks//hooks", b'{"type":"track"}', hooks).status_code == 200
    pixel = inside.send("/v1//pixel//track?writeKey=web-key&a=//b", method="GET")
    assert pixel.content_type == "image/gif"
    settings = inside.send("//v1//projects//web-key//settings", method="GET")
    assert settings.status_code == 200
    assert inside.send("//health//live", method="GET").status_code == 200
    assert [line["payload"].get("a") for line in inside.landed()] == [None, "//b"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v1//trak", "/v1/trak"),
        ("/v1/nothing/at/all", "/v1/nothing/at/…"),
        ("/projects/web-key/setings", "/projects/…/setings"),
        ("/v1/projects/some-old-key/setings", "/v1/projects/…/…"),
        ("/hooks/web-key", "/hooks/…"),
        ("/new secret", "/…"),
        ("/0123456789abcdef0123456789abcdef/track", "/…/track"),
        ("/me@example.com", "/…"),
        ("/" + "x" * 5000, "/…"),
        ("/\r\n{}", "/…"),
        ("/", "/"),
    ],
)
def test_an_unknown_path_is_logged_without_what_may_be_secret(
    inside: InProcess, monkeypatch: pytest.MonkeyPatch, path: str, shown: str
) -> None:
    seen: list[dict[str, object]] = []

    def as_json(line: dict[str, object]) -> str:
        seen.append(line)
        return "{}"

    monkeypatch.setattr(logs, "_as_json", as_json)

    assert inside.send(path).status_code == 404
    assert (seen[0]["route"], seen[0]["path"]) == (None, shown)


@bad_input("B93", "a browser that asks for headers nobody foresaw", "what was asked is allowed")
def test_a_preflight_is_allowed_what_it_asks_for(inside: InProcess) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-csrf-token",
        "Access-Control-Request-Private-Network": "true",
    }

    answer = inside.send("/v1//t", b"", asked, "OPTIONS").headers

    assert answer["Access-Control-Allow-Headers"] == "content-type, x-csrf-token"
    assert answer["Access-Control-Allow-Private-Network"] == "true"
    varies = {name.strip() for name in answer["Vary"].split(",")}
    assert {"Access-Control-Request-Headers", "Access-Control-Request-Private-Network"} <= varies


def test_what_is_no_header_name_is_not_repeated(inside: InProcess) -> None:
    asked = {"Access-Control-Request-Headers": "x-a, <script>, é, , X-B"}

    answer = inside.send("/v1/t", b"", asked, "OPTIONS").headers

    assert answer["Access-Control-Allow-Headers"] == "x-a, X-B"
    assert "Access-Control-Allow-Private-Network" not in answer


NO_PACKING = [
    *("utf-8", "UTF-8", "utf_8", "charset=utf-8", "latin1", "iso-8859-15", "text/json", "identity"),
    *(
        "",
        "gzip, identity",
        "none",
        "null",
        "undefined",
        '"gzip"',
        "'gzip'",
        "gzip;q=1",
        "nonsense",
    ),
]


@pytest.mark.parametrize("encoding", NO_PACKING)
@bad_input("B94", "a charset as `Content-Encoding`, or several", "200, lands as `track`")
def test_an_encoding_that_packs_nothing_is_taken(inside: InProcess, encoding: str) -> None:
    headers = {**WEB, "Content-Encoding": encoding}

    assert inside.send("/v1/track", json.dumps({"a": 1}).encode(), headers).status_code == 200
    assert [line["payload"] for line in inside.landed("track")] == [{"a": 1}]


@pytest.mark.parametrize("encoding", [one for one in NO_PACKING if one])
@bad_input("B94", "gzip that is announced by a name of no packing", "200, lands as `track`")
def test_gzip_is_known_by_its_first_bytes(inside: InProcess, encoding: str) -> None:
    headers = {**WEB, "Content-Encoding": encoding}

    assert inside.send("/v1/track", gzip.compress(b'{"a":1}'), headers).status_code == 200
    assert [line["payload"] for line in inside.landed("track")] == [{"a": 1}]


@pytest.mark.parametrize("encoding", ["nonsense", "utf_16"])
def test_what_is_neither_is_kept(inside: InProcess, encoding: str) -> None:
    headers = {**WEB, "Content-Encoding": encoding}

    assert inside.send("/v1/track", b"\xff\xfe{\0}\0", headers).status_code == 200
    assert [line["reason"] for line in inside.landed()] == ["not_utf8"]


@pytest.mark.parametrize(
    "encoding",
    [
        "br",
        "zstd",
        "compress",
        "x-compress",
        "deflate",
        "bzip2",
        "xz",
        "utf-8, br",
        '"br"',
        "BR;q=1",
    ],
)
def test_a_packing_that_is_not_taken_is_415(inside: InProcess, encoding: str) -> None:
    headers = {**WEB, "Content-Encoding": encoding}

    assert inside.send("/v1/track", b"x", headers).status_code == 415
