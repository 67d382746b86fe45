"""Segment's HTTP Tracking API: paths, keys, batches."""

import gzip
import json

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id


@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias"])
def test_the_path_says_which_call_it_is(app: AppReceiver, call: str) -> None:
    message_id = new_id()

    answer = app.post(f"/v1/{call}", json.dumps({"messageId": message_id}))

    assert answer.status_code == 200
    assert app.lines(call, holding=message_id)


def test_an_event_that_says_its_type_keeps_it(app: AppReceiver) -> None:
    message_id = new_id()

    app.post("/v1/track", json.dumps({"messageId": message_id, "type": "page"}))

    assert app.lines("page", holding=message_id)


def test_a_batch_lands_each_event_in_its_call(app: AppReceiver) -> None:
    ids = {call: new_id() for call in ("track", "alias", "identify")}
    events = [{"type": call, "messageId": one} for call, one in ids.items()]

    app.post("/v1/batch", json.dumps({"batch": events}))

    for call, one in ids.items():
        assert app.lines(call, holding=one), call


def test_what_a_batch_says_once_is_merged_into_its_events(app: AppReceiver) -> None:
    first, second = new_id(), new_id()
    batch = {
        "batch": [
            {"type": "track", "messageId": first},
            {"type": "track", "messageId": second, "context": {"ip": "own"}, "sentAt": "own"},
        ],
        "context": {"ip": "shared", "library": {"name": "sdk"}},
        "integrations": {"All": True},
        "sentAt": "shared",
    }

    app.post("/v1/batch", json.dumps(batch))

    (bare,), (own,) = app.landed(first), app.landed(second)
    assert bare["payload"] == batch["batch"][0] | {
        name: batch[name] for name in ("context", "integrations", "sentAt")
    }
    assert bare["sent_at"] == "shared"
    assert own["payload"]["context"] == {"ip": "own", "library": {"name": "sdk"}}
    assert own["sent_at"] == own["payload"]["sentAt"] == "own"


def test_an_event_without_an_id_gets_the_same_one_each_time(app: AppReceiver) -> None:
    marker = new_id()
    event = {"event": marker, "timestamp": "2026-11-22T00:00:00Z"}
    body = json.dumps(event)
    for _ in range(2):
        app.post("/v1/track", body)

    lines = [json.loads(line) for line in app.lines("track") if marker.encode() in line]

    assert len(lines) == 2
    assert len({line["message_id"] for line in lines}) == 1
    assert lines[0]["message_id"].startswith("sha256-")
    assert lines[0]["payload"] == event


@pytest.mark.parametrize(
    "headers",
    [
        basic("web-key"),
        basic("web-key-two"),
        {"Authorization": basic("web-key")["Authorization"].replace("Basic", "bAsIc")},
        {"Authorization": "Basic d2ViLWtleQ=="},  # no colon behind the key
    ],
)
def test_a_write_key_may_come_as_basic_user(app: AppReceiver, headers: dict[str, str]) -> None:
    assert app.post("/v1/track", "{}", headers=headers).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer token"}])
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_a_write_key_may_come_in_the_body(
    app: AppReceiver, headers: dict[str, str], path: str
) -> None:
    body = json.dumps({"writeKey": "web-key", "batch": []})

    assert app.post(path, body, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        basic("no-key"),
        basic("web-key", "password"),
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic é".encode("latin-1")},
        {"Authorization": "Basic"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/v1/track", "/v1/batch"])
def test_wrong_credentials_are_401_and_land_nothing(
    app: AppReceiver, headers: dict[str, str], path: str
) -> None:
    message_id = new_id()
    event = {"type": "track", "messageId": message_id, "writeKey": 5}

    answer = app.post(path, json.dumps(event | {"batch": [event]}), headers=headers)

    assert answer.status_code == 401
    assert answer.json()["code"] == "unauthorized"
    assert not app.lines(holding=message_id)


@pytest.mark.parametrize(
    "content_type",
    [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_the_content_type_does_not_matter(app: AppReceiver, content_type: str | None) -> None:
    message_id = new_id()
    headers = basic("web-key") | ({"Content-Type": content_type} if content_type else {})

    app.post("/v1/track", json.dumps({"messageId": message_id}), headers=headers)

    assert app.landed(message_id)


def test_a_gzipped_body_is_unpacked(app: AppReceiver) -> None:
    message_id = new_id()
    body = json.dumps({"batch": [{"type": "page", "messageId": message_id}]}).encode()
    two_members = gzip.compress(body[:20]) + gzip.compress(body[20:])
    headers = basic("web-key") | {"Content-Encoding": "gzip"}

    for sent in (gzip.compress(body), two_members, body):
        assert app.post("/v1/batch", sent, headers=headers).status_code == 200

    assert len(app.landed(message_id)) == 3


def test_a_trailing_slash_is_the_same_path(app: AppReceiver) -> None:
    assert app.post("/v1/batch/", '{"batch":[]}').status_code == 200


def test_other_methods_and_paths_are_refused_as_json(app: AppReceiver) -> None:
    wrong_method = app.get("/v1/track")
    wrong_path = app.post("/v1/nothing", "{}")

    assert (wrong_method.status_code, wrong_method.json()["success"]) == (405, False)
    assert "POST" in wrong_method.headers["Allow"]
    assert (wrong_path.status_code, wrong_path.json()["code"]) == (404, "not_found")
