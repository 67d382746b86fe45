"""Bodies that real senders break, and what is kept of them."""

import base64
import gzip
import json
import time
import zlib
from urllib.parse import quote

import pytest

from receiver.events import intake
from receiver.senders import auth
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Sources
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
    "an escape in the key": b'{"writeKey":"\\u0077eb-key","batch":[',
    "escapes in the key's name": b'{"\\u0077rite\\u004Bey":"web-key","batch":[',
    "JSON with escapes in a string": b'"{\\"write\\\\u004bey\\":\\"web\\\\u002dkey\\"',
    "single quotes": b"{'writeKey':'web-key'",
    "a wrong key before": b'{"writeKey":"other"}{%b}' % KEY,
    "UTF-16": ('{"writeKey":"web-key","batch":[]}').encode("utf-16"),
    "another key behind": b'{%b,"writeKey":"zzz","batch":[%b]}' % (KEY, A),
    "null as another key behind": b'{%b,"writeKey":null,"batch":[%b]}' % (KEY, A),
    "no comma behind the key": b'{%b "batch":[%b]}' % (KEY, A),
    "no comma before the key": b'{"batch":[%b] %b}' % (A, KEY),
    "no quotes around the key, and no batch": b'{"writeKey":web-key,"events":[%b],}' % A,
    "a form": b"data=" + quote(b'{"writeKey": "web-key","batch":[]}').encode(),
    "a form with a plus": b"data=%7B%22writeKey%22%3A+%22web-key%22%7D",
    "a form's field": b"writeKey=web-key&event=Opened",
    "gzip that nobody announced": gzip.compress(b'{%b,"batch":[%b]}' % (KEY, A)),
    "gzip that nobody announced, and is cut": gzip.compress(b"{%b}" % KEY)[:-4],
}

CUT = {
    "no quotes around the key": b'{"writeKey":web-key,"batch":[%b]}',
    "single quotes around the key": b'{"writeKey":\'web-key\',"batch":[%b]}',
    "a letter behind the key": b'{"writeKey":"web-key"x,"batch":[%b]}',
}


def unpacked(body: bytes) -> bytes:
    is_packed = body.startswith(b"\x1f\x8b")
    return zlib.decompressobj(wbits=31).decompress(body) if is_packed else body


def without_key(body: bytes) -> bytes:
    """Return a body with `*` for each byte of the key, however it is written."""
    wide, wide_stars = ("web-key".encode("utf-16-le"), ("*" * 7).encode("utf-16-le"))
    for escaped in (b"\\u0077eb-key", b"web\\\\u002dkey"):
        body = body.replace(escaped, b"*" * len(escaped))
    return body.replace(b"web-key", b"*" * 7).replace(wide, wide_stars)


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/batch", "application/json"), ("/v1/track", "text/plain")]
)
@pytest.mark.parametrize("what", BROKEN)
@bad_input("B87", "a body that cannot be cut, with its key in it", "200, `rejected/`")
def test_a_broken_body_with_a_known_key_in_it_is_kept(
    inside: InProcess, what: str, path: str, kind: str
) -> None:
    answer = inside.send(path, BROKEN[what], {"Content-Type": kind})

    assert (answer.status_code, answer.json) == (200, {"success": True})
    (line,) = inside.landed()
    assert line["source"] == "web"
    assert unpacked(line["body"]).strip() == without_key(unpacked(BROKEN[what])).strip()


@pytest.mark.parametrize("what", CUT)
def test_a_batch_that_can_be_cut_lands_whatever_is_wrong_around_its_key(
    inside: InProcess, what: str
) -> None:
    assert inside.send("/v1/batch", CUT[what] % A, {}).status_code == 200
    assert [(line["source"], line["message_id"]) for line in inside.landed()] == [("web", "a")]


def test_gzip_that_nobody_announced_is_searched_for_a_key_up_to_the_limit(
    inside: InProcess,
) -> None:
    bomb = gzip.compress(b"{" + b" " * (8 << 20) + b"%b}" % KEY)

    assert inside.send("/v1/batch", bomb, {}).status_code == 401
    assert inside.landed() == []


@bad_input("B87", "gzip that is cut, with its key in it", "200, `rejected/`: `bad_gzip`")
def test_damaged_gzip_with_a_known_key_in_it_is_kept(inside: InProcess) -> None:
    body = b"{%b}" % KEY
    cut = gzip.compress(body)[:-4]

    assert inside.send("/v1/b", cut, {"Content-Encoding": "gzip"}).status_code == 200
    (line,) = inside.landed()
    assert (line["reason"], unpacked(line["body"])) == ("bad_gzip", without_key(body))


@pytest.mark.parametrize("cut", [b"", b"!x", b"A"])
@bad_input("B88", "a pixel that is cut, with its key in it", "an image, `rejected/`")
def test_a_broken_pixel_with_a_known_key_in_it_is_kept(inside: InProcess, cut: bytes) -> None:
    data = base64.b64encode(b'{%b,"event":"Opened"' % KEY + b"  ") + cut

    answer = inside.send(f"/v1/pixel/track?data={quote(data)}", method="GET", headers={})

    assert answer.content_type == "image/gif"
    assert [(line["source"], line["call"]) for line in inside.landed()] == [("web", "track")]


@pytest.mark.parametrize(
    "body",
    [
        b'{"batch":[',
        b'{"writeKey":"nobody"',
        b'{"writeKey":5',
        b'web-key {"writeKey":',
        b'{"writeKey":"nobody","writeKey":null,"x":"web-key"}',
        b'{"writeKey":nobody,"batch":["web-key"]}',
        b"data=web-key&key=%22web-key%22",
        gzip.compress(b'{"key":"web-key"}', mtime=0),
        b"\x1f\x8bnothing that is packed",
    ],
)
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/track"])
def test_a_broken_body_without_a_known_key_is_refused(
    inside: InProcess, path: str, body: bytes
) -> None:
    assert inside.send(path, body, {}).status_code == 401
    assert inside.landed() == []


def test_a_key_deep_in_a_whole_body_is_no_credential(inside: InProcess) -> None:
    assert inside.send("/v1/track", b'{"properties":{%b}}' % KEY, {}).status_code == 401
    named = b'{"writeKey":"nobody","properties":{%b}}' % KEY
    assert inside.send("/v1/track", named, {}).status_code == 401


@pytest.mark.parametrize("data", ["%%%", "", "bm9uc2Vuc2U=", "e30", "W10"])
@bad_input("B88", "a pixel whose `data` is none, with its key beside it", "an image, `rejected/`")
def test_a_pixel_with_a_known_key_beside_its_data_is_kept(inside: InProcess, data: str) -> None:
    """What is in `data`: nothing that can be read, nothing, no JSON, and JSON without a key."""
    path = f"/v1/pixel/track?writeKey=web-key&data={data}"

    answer = inside.send(path, method="GET", headers={})

    assert answer.content_type == "image/gif"
    (line,) = inside.landed()
    assert line["source"] == "web"
    assert line.get("body") != b""
    assert (line.get("reason") is None) == (data == "e30")


@pytest.mark.parametrize("query", ["writeKey=zzz&data=%%%", "data=%%%&x=web-key", "data=e30"])
def test_a_pixel_with_no_known_key_beside_its_data_is_not_kept(
    inside: InProcess, query: str
) -> None:
    inside.send(f"/v1/pixel/track?{query}", method="GET", headers={})

    assert inside.landed() == []


@pytest.mark.parametrize(
    "text",
    [
        b'writeKey"',
        b"writeKey ",
        b'writeKey:"',
        b"writeKey:\\",
        b"writeKey:x" * 2,
        b"%22%3A%%%%",
        b"\\u0077rite\\u004",
        b"\\" * 9 + b"\\u0077",
        b"writeKey:\\u0078\\u0078",
    ],
)
def test_looking_for_a_key_costs_no_more_than_the_bodys_length(text: bytes) -> None:
    sources = Sources(SOURCES)

    def cost(size: int) -> float:
        body = text[:9] * (size // 40) + text[8:] * (size // 2) + text * (size // 40)
        started = time.process_time()
        assert auth.credential_of_broken(sources, Endpoint.TRACKING, body) is None
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


HOOKS = {"Authorization": "Basic aG9va3Mta2V5Og=="}


@pytest.mark.parametrize(("path", "headers"), [("/v1/batch", WEB), ("/webhooks/hooks", HOOKS)])
@pytest.mark.parametrize("body", [b'{"batch":[%b,%b],}', b'{,"batch":[%b,,%b]}'])
@bad_input("B90", "stray commas between the fields of a batch", "200, lands as `track`")
def test_stray_commas_in_the_envelope_cost_no_event(
    inside: InProcess, body: bytes, path: str, headers: dict[str, str]
) -> None:
    assert inside.send(path, body % (A, B), headers).status_code == 200
    assert inside.ids() == ["a", "b"]


@pytest.mark.parametrize("commas", ["[,%b,%b]", "[%b,%b]"])
def test_a_webhook_may_send_a_batch_as_the_tracking_api_takes_it(
    inside: InProcess, commas: str
) -> None:
    body = b'{"batch":%b,"sentAt":"then"}' % (commas.encode() % (A, B))

    assert inside.send("/webhooks/hooks", body, HOOKS).status_code == 200
    assert inside.ids() == ["a", "b"]
    assert {line["sent_at"] for line in inside.landed()} == {"then"}


def test_an_event_of_a_webhook_may_have_a_batch_of_its_own(inside: InProcess) -> None:
    event = {"type": "track", "messageId": "own", "batch": [{"type": "page"}]}

    inside.send("/webhooks/hooks", json.dumps(event).encode(), HOOKS)

    assert [line["payload"] for line in inside.landed()] == [event]


@pytest.mark.parametrize("integrations", [b'{"All":false}', b'{"All":true}'])
def test_events_that_are_not_stored_give_others_their_turn_too(
    inside: InProcess, monkeypatch: pytest.MonkeyPatch, integrations: bytes
) -> None:
    turns: list[None] = []
    monkeypatch.setattr(intake, "let_others_run", lambda: turns.append(None))
    event = b'{"type":"track","integrations":%b,"x":"%b"}' % (integrations, b"x" * 1000)

    inside.send("/v1/batch", b'{"batch":[%b]}' % b",".join([event] * 6000))

    assert len(turns) >= 3


@pytest.mark.parametrize("blank", ["\\u200b", "\\ufeff", "\\u0000", "\\ufffd", "\u00a0", "\\t"])
def test_on_no_road_is_there_an_id_of_nothing_visible(inside: InProcess, blank: str) -> None:
    event = b'{"type":"track","messageId":"%b"}' % blank.encode()
    data = base64.b64encode(event[:-1] + b",%b}" % KEY)

    inside.send("/v1/track", event)
    inside.send("/v1/batch", b'{"batch":[%b]}' % event)
    inside.send("/webhooks/hooks", event, HOOKS)
    inside.send(f"/v1/pixel/track?data={quote(data)}", method="GET", headers={})

    assert [line.get("reason") for line in inside.landed()] == ["bad_message_id"] * 4


def test_an_id_with_a_nul_is_another_than_one_that_looks_like_it(inside: InProcess) -> None:
    ids = [b"m\\u0000x", b"m\\\\u0000x", b"m\\ufffdx"]

    for one in ids:
        inside.send("/v1/track", b'{"messageId":"%b"}' % one)

    assert inside.ids() == ['"m\\u0000x"', "m\\u0000x", "m\ufffdx"]
    assert [line["payload"]["messageId"] for line in inside.landed()] == [
        "m\0x", "m\\u0000x", "m\ufffdx",
    ]  # fmt: skip
