"""Segment's three kinds of webhook destination, as they send."""

import base64
import hashlib
import hmac
import json

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id

CLASSIC = {"User-Agent": "Segment.io/1.0", "Content-Type": "application/json"}
ACTIONS = {"User-Agent": "Segment (Actions)", "Content-Type": "application/json"}
SETTINGS = base64.b64encode(b'{"apiKey":"hooks-key"}').decode()
PARTNER = CLASSIC | basic("hooks-key") | {"X-Segment-Settings": SETTINGS, "Accept": "*/*"}


def full_event(message_id: str, size: int = 0) -> bytes:
    """Return an event as Segment delivers it, in JavaScript's way of writing."""
    event = {
        "channel": "client",
        "context": {"ip": "203.0.113.7", "library": {"name": "analytics.js"}},
        "event": "Order Completed",
        "integrations": {"All": False, "Webhooks (Actions)": True},
        "messageId": message_id,
        "originalTimestamp": "2026-11-22T05:24:46.123Z",
        "projectId": "p1",
        "properties": {"revenue": "39.95", "filler": "x" * size},
        "receivedAt": "2026-11-22T05:24:46.456Z",
        "type": "track",
        "userId": None,
        "version": 2,
        "writeKey": "of Segment",
    }
    return json.dumps(event, separators=(",", ":")).encode()


def signed(text: bytes, key: str = "new secret") -> dict[str, str]:
    return {"X-Signature": hmac.new(key.encode(), text, hashlib.sha1).hexdigest()}


def landed_payload(app: AppReceiver, message_id: str) -> bytes:
    (line,) = app.lines("track", holding=message_id)
    return line.partition(b',"payload":')[2]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("secret", ["new secret", "old secret"])
def test_a_classic_webhook_is_signed(app: AppReceiver, secret: str, slash: str) -> None:
    message_id = new_id()
    body = full_event(message_id)

    answer = app.post(f"/webhooks/signed{slash}", body, headers=CLASSIC | signed(body, secret))

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert landed_payload(app, message_id) == body + b"}\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_action_sends_one_event_by_any_of_three_methods(app: AppReceiver, method: str) -> None:
    message_id = new_id()
    body = full_event(message_id)

    answer = app.http.request(
        method, "/webhooks/signed", content=body, headers=ACTIONS | signed(body)
    )

    assert answer.status_code == 200
    assert landed_payload(app, message_id) == body + b"}\n"


def test_a_partner_brings_the_key_and_no_signature(app: AppReceiver) -> None:
    message_id = new_id()
    body = full_event(message_id)

    answer = app.post("/webhooks/hooks", body, headers=PARTNER)

    assert answer.status_code == 200
    assert landed_payload(app, message_id) == body + b"}\n"


def test_an_actions_batch_of_four_thousand_lands_whole(app: AppReceiver) -> None:
    ids = [new_id() for _ in range(4000)]
    events = [full_event(one) for one in ids]
    headers = ACTIONS | signed(events[0]) | basic("signed-key")

    answer = app.post("/webhooks/signed", b"[" + b",".join(events) + b"]", headers=headers)

    assert answer.status_code == 200
    landed = {json.loads(line)["message_id"] for line in app.lines("track")}
    assert landed >= set(ids)


@pytest.mark.parametrize("first", [b"null", b'"text"', b"{}"])
def test_what_a_mapping_makes_of_an_event_costs_the_batch_nothing(
    app: AppReceiver, first: bytes
) -> None:
    """A mapping without data sends null, and one of the user's own sends anything."""
    message_id = new_id()
    body = b"[%b,%b,null]" % (first, full_event(message_id))
    headers = ACTIONS | signed(first) | basic("signed-key")

    answer = app.post("/webhooks/signed", body, headers=headers)

    assert answer.status_code == 200
    assert app.landed(message_id)


@pytest.mark.parametrize("signed_over", ["second", "nothing"])
def test_an_array_that_is_signed_elsewhere_is_refused(app: AppReceiver, signed_over: str) -> None:
    ids = [new_id(), new_id()]
    first, second = map(full_event, ids)
    headers = basic("signed-key") | (signed(second) if signed_over == "second" else {})

    answer = app.post("/webhooks/signed", b"[%b,%b]" % (first, second), headers=headers)

    assert answer.status_code == 401
    assert not app.landed(ids[0])
    assert not app.landed(ids[1])


def test_the_key_of_another_source_does_not_vouch_for_an_array(app: AppReceiver) -> None:
    body = b"[%b]" % full_event(new_id())

    answer = app.post("/webhooks/signed", body, headers=signed(body) | basic("web-key"))

    assert answer.status_code == 401


def test_a_delete_lands_as_its_own_call(app: AppReceiver) -> None:
    message_id = new_id()
    event = {"type": "delete", "messageId": message_id, "context": None, "integrations": None}

    app.post("/webhooks/partner", json.dumps(event), headers=CLASSIC | basic("partner-key"))

    assert app.lines("delete", holding=message_id)
