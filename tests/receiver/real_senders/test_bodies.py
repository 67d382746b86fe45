"""Bodies that real senders break, and what is kept of them."""

import base64
import gzip
import time
from urllib.parse import quote

import pytest

from receiver import auth, intake
from receiver.sources import Sources
from tests.support.receiver.attack import bad_input
from tests.support.receiver.in_process import InProcess
from tests.support.receiver.senders import SOURCES, WEB

A = b'{"type":"track","messageId":"a","n":1.0}'
B = b'{"type":"track","messageId":"b"}'
KEY = b'"writeKey":"web-key"'

BROKEN = {
    "a missing brace": b'{%b,"batch":[%b' % (KEY, A),
    "a brace too many in an event": b'{"batch":[{"type":"track"}},%b],%b}' % (A, KEY),
    "a second envelope behind": b"{%b}{%b}" % (KEY, KEY),
    "a quote without an end": b'{"batch":[{"event":"x}],%b}' % KEY,
    "white space around the key": b'{"writeKey" :\n "web-key", "batch": [',
    "JSON in a string": b'"{\\"writeKey\\":\\"web-key\\"',
    "single quotes": b"{'writeKey':'web-key'",
    "a wrong key before": b'{"writeKey":"other"}{%b}' % KEY,
    "UTF-16": ('{"writeKey":"web-key","batch":[]}').encode("utf-16"),
}


@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track", "/b"])
@pytest.mark.parametrize("what", BROKEN)
@bad_input("B87", "a body that cannot be cut, with its key in it", "200, `rejected/`")
def test_a_broken_body_with_a_known_key_in_it_is_kept(
    inside: InProcess, what: str, path: str, kind: str
) -> None:
    answer = inside.send(path, BROKEN[what], {"Content-Type": kind})

    assert (answer.status_code, answer.json) == (200, {"success": True})
    (line,) = inside.landed()
    assert line["source"] == "web"
    assert line["body"].strip() == BROKEN[what].strip()


@bad_input("B87", "gzip that is cut, with its key in it", "200, `rejected/`: `bad_gzip`")
def test_damaged_gzip_with_a_known_key_in_it_is_kept(inside: InProcess) -> None:
    cut = gzip.compress(b"{%b}" % KEY)[:-4]

    assert inside.send("/v1/b", cut, {"Content-Encoding": "gzip"}).status_code == 200
    assert [(line["reason"], line["body"]) for line in inside.landed()] == [("bad_gzip", cut)]


@pytest.mark.parametrize("cut", [b"", b"!x", b"A"])
@bad_input("B88", "a pixel that is cut, with its key in it", "an image, `rejected/`")
def test_a_broken_pixel_with_a_known_key_in_it_is_kept(inside: InProcess, cut: bytes) -> None:
    data = base64.b64encode(b'{%b,"event":"Opened"' % KEY + b"  ") + cut

    answer = inside.send(f"/v1/pixel/track?data={quote(data)}", method="GET", headers={})

    assert answer.content_type == "image/gif"
    assert [(line["source"], line["call"]) for line in inside.landed()] == [("web", "track")]


@pytest.mark.parametrize(
    "body", [b'{"batch":[', b'{"writeKey":"nobody"', b'{"writeKey":5', b'web-key {"writeKey":']
)
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track"])
def test_a_broken_body_without_a_known_key_is_refused(
    inside: InProcess, path: str, body: bytes
) -> None:
    assert inside.send(path, body, {}).status_code == 401
    assert inside.landed() == []


def test_a_key_deep_in_a_whole_body_is_no_credential(inside: InProcess) -> None:
    assert inside.send("/v1/track", b'{"properties":{%b}}' % KEY, {}).status_code == 401


@pytest.mark.parametrize(
    "text", [b'writeKey"', b"writeKey ", b'writeKey:"', b"writeKey:\\", b"writeKey:x" * 2]
)
def test_looking_for_a_key_costs_no_more_than_the_bodys_length(text: bytes) -> None:
    sources = Sources(SOURCES)

    def cost(size: int) -> float:
        body = text[:9] * (size // 40) + text[8:] * (size // 2) + text * (size // 40)
        started = time.process_time()
        assert auth.source_of_broken(sources, body) is None
        return time.process_time() - started

    assert cost(1 << 20) < 1  # ten times what it takes; what backtracks takes minutes


@pytest.mark.parametrize("commas", ["[,%b,%b]", "[%b,,%b]", "[%b,%b,]", "[ , %b ,\n, %b , ]"])
@pytest.mark.parametrize("path", ["/v1/batch", "/webhooks/hooks"])
@bad_input("B89", "stray commas between the events of a batch", "200, lands as `track`")
def test_stray_commas_cost_no_event(inside: InProcess, commas: str, path: str) -> None:
    array = commas.encode() % (A, B)
    is_batch = path == "/v1/batch"
    body = b'{"batch":%b}' % array if is_batch else array
    headers = WEB if is_batch else {"Authorization": "Basic aG9va3Mta2V5Og=="}

    assert inside.send(path, body, headers).status_code == 200
    assert inside.ids() == ["a", "b"]
    assert inside.landed("rejected") == []
    assert inside.landed()[0]["payload"] == {"type": "track", "messageId": "a", "n": 1.0}


@pytest.mark.parametrize("body", [b'{"batch":[%b,%b],}', b'{,"batch":[%b,,%b]}'])
@bad_input("B90", "stray commas between the fields of a batch", "200, lands as `track`")
def test_stray_commas_in_the_envelope_cost_no_event(inside: InProcess, body: bytes) -> None:
    assert inside.send("/v1/batch", body % (A, B)).status_code == 200
    assert inside.ids() == ["a", "b"]


@pytest.mark.parametrize("integrations", [b'{"All":false}', b'{"All":true}'])
def test_events_that_are_not_stored_give_others_their_turn_too(
    inside: InProcess, monkeypatch: pytest.MonkeyPatch, integrations: bytes
) -> None:
    turns: list[None] = []
    monkeypatch.setattr(intake, "let_others_run", lambda: turns.append(None))
    event = b'{"type":"track","integrations":%b,"x":"%b"}' % (integrations, b"x" * 1000)

    inside.send("/v1/batch", b'{"batch":[%b]}' % b",".join([event] * 6000))

    assert len(turns) >= 3
