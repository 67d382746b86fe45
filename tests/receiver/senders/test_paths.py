"""The paths of Segment's SDKs, and their ways of packing a request."""

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import WEB, basic, new_id

SHORT = {"t": "track", "i": "identify", "p": "page", "s": "screen", "g": "group", "a": "alias"}
CALLS = SHORT | {call: call for call in SHORT.values()}
BATCH_PATHS = ["/v1/batch", "/v1/import", "/v1/b", "/b"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("name", CALLS)
def test_a_call_has_a_long_and_a_short_path(app: AppReceiver, name: str, slash: str) -> None:
    message_id = new_id()

    answer = app.post(f"/v1/{name}{slash}", json.dumps({"messageId": message_id}))

    assert (answer.status_code, answer.content) == (200, b'{"success": true}')
    assert app.lines(CALLS[name], holding=message_id)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", BATCH_PATHS)
def test_a_batch_has_four_paths(app: AppReceiver, path: str, slash: str) -> None:
    message_id = new_id()
    body = {"batch": [{"type": "track", "messageId": message_id}], "writeKey": "web-key"}

    answer = app.post(path + slash, json.dumps(body), headers={})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert app.landed(message_id)


@pytest.mark.parametrize("path", ["/v1/m", "/v1/m/", "/m"])
def test_what_an_sdk_measures_of_itself_is_taken_and_not_stored(
    app: AppReceiver, path: str
) -> None:
    marker = new_id()

    answer = app.post(path, json.dumps({"series": [{"metric": marker}]}), headers={})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert not app.lines(holding=marker)


def test_the_mobile_sdks_stream_gzip_as_plain_text(app: AppReceiver) -> None:
    message_id = new_id()
    event = {"type": "screen", "messageId": message_id}
    packed = gzip.compress(json.dumps({"batch": [event], "writeKey": "web-key"}).encode())

    def pieces() -> Iterator[bytes]:  # of unknown length, so it goes out chunked
        yield packed[:10]
        yield packed[10:]

    headers = {"Content-Type": "text/plain", "Content-Encoding": "gzip"}
    answer = app.http.post("/b", content=pieces(), headers=headers)

    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert answer.json() == {"success": True}
    assert app.landed(message_id)


def test_a_token_may_come_with_the_key_in_the_body(app: AppReceiver) -> None:
    message_id = new_id()
    body = {"messageId": message_id, "writeKey": "web-key"}

    answer = app.post("/v1/track", json.dumps(body), headers={"Authorization": "Bearer token"})

    assert answer.status_code == 200
    assert app.landed(message_id)


def test_an_error_says_what_is_wrong_as_json(app: AppReceiver) -> None:
    answer = app.post("/v1/t", "{}", headers=basic("no-key"))

    assert answer.status_code == 401
    assert answer.json() == {
        "success": False,
        "code": "unauthorized",
        "message": "The credentials are missing or wrong.",
    }


@pytest.mark.parametrize(
    ("sent", "landed"),
    [
        (b'{"writeKey":"web-key","messageId":"%b"}', b'{"messageId":"%b"}'),
        (b'{"messageId":"%b","writeKey":"web-key"}', b'{"messageId":"%b"}'),
        (b'{"messageId":"%b" , "writeKey" : "x", "n": 1.0}', b'{"messageId":"%b", "n": 1.0}'),
        (b'{ "writeKey" : null , "messageId":"%b"}', b'{ "messageId":"%b"}'),
        (
            b'{"messageId":"%b","p":{"writeKey":"kept"}}',
            b'{"messageId":"%b","p":{"writeKey":"kept"}}',
        ),
        (b'{"messageId":"%b","\\u0077riteKey":"web-key"}', b'{"messageId":"%b"}'),
    ],
)
def test_a_write_key_does_not_land_and_nothing_else_is_touched(
    app: AppReceiver, sent: bytes, landed: bytes
) -> None:
    message_id = new_id().encode()

    app.post("/v1/track", sent % message_id)

    (line,) = app.lines("track", holding=message_id)
    assert line.partition(b',"payload":')[2] == (landed % message_id) + b"}\n"


def test_a_write_key_of_a_batch_or_in_it_does_not_land(app: AppReceiver) -> None:
    message_id = new_id()
    event = {"type": "track", "messageId": message_id}
    batch = {"batch": [event | {"writeKey": "web-key"}], "writeKey": "web-key", "sentAt": "now"}

    app.post("/v1/batch", json.dumps(batch), headers={})

    assert app.landed(message_id)[0]["payload"] == event | {"sentAt": "now"}


def test_an_event_that_is_nothing_but_its_key_lands_empty(app: AppReceiver) -> None:
    before = len(app.lines("group"))

    app.post("/v1/group", '{ "writeKey": "web-key" }', headers={})

    assert [line for line in app.lines("group") if b'"payload":{}}' in line]
    assert len(app.lines("group")) == before + 1


def test_a_webhooks_event_keeps_its_write_key(app: AppReceiver) -> None:
    message_id = new_id()
    body = {"type": "track", "messageId": message_id, "writeKey": "of Segment"}

    app.post("/webhooks/hooks", json.dumps(body), headers=basic("hooks-key"))

    assert app.landed(message_id)[0]["payload"] == body


BROWSER = {"Origin": "https://shop.example"}
ASKING = BROWSER | {
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,x-retry-count",
}


@pytest.mark.parametrize("path", ["/v1/t", "/v1/b", "/v1/track/", "/v1/m", "/b"])
def test_a_browser_that_asks_first_is_let(app: AppReceiver, path: str) -> None:
    answer = app.http.options(path, headers=ASKING)

    assert answer.status_code == 200
    allowed = answer.headers
    assert allowed["Access-Control-Allow-Origin"] == "*"
    assert "POST" in allowed["Access-Control-Allow-Methods"]
    names = {name.strip() for name in allowed["Access-Control-Allow-Headers"].split(",")}
    assert names == {"authorization", "content-type", "x-retry-count"}
    assert int(allowed["Access-Control-Max-Age"]) >= 600
    assert "Access-Control-Allow-Credentials" not in allowed


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/v1/t", WEB, b"{}", 200),
        ("POST", "/v1/t", {}, b"{}", 401),
        ("POST", "/v1/b", WEB, b"", 400),
        ("POST", "/v1/t", WEB | {"Content-Encoding": "br"}, b"x", 415),
        ("POST", "/v1/nothing", WEB, b"{}", 404),
        ("GET", "/v1/t", {}, b"", 405),
        ("GET", "/v1/projects/no-key/settings", {}, b"", 404),
        ("GET", "/v1/pixel/track", {}, b"", 200),
    ],
)
def test_a_page_may_read_every_answer(
    app: AppReceiver,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    status: int,
) -> None:
    answer = app.http.request(method, path, headers=headers | BROWSER, content=body)

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/health/live", "/webhooks/hooks"])
def test_what_is_not_for_browsers_is_not_opened_to_them(app: AppReceiver, path: str) -> None:
    answer = app.http.get(path, headers=BROWSER)

    assert "Access-Control-Allow-Origin" not in answer.headers
