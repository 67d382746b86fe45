"""`integrations`: an SDK's event that is not for us is counted, and not stored."""

import json
from collections.abc import Callable

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id


@pytest.fixture(scope="module")
def stitch(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver whose integration is called Stitch."""
    return make_apps(integration_name="Stitch")


@pytest.fixture(scope="module")
def stores_all(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """The same, for who comes from Segment Warehouses."""
    return make_apps(integration_name="Stitch", store_shut_out=True)


SHUT_OUT = [
    {"All": False},
    {"All": False, "Mixpanel": True},
    {"All": False, "Stitch": False},
    {"All": False, "Stitch": None},
    {"All": False, "stitch": True},
    {"All": False, "Segment": True},
    {"All": False, "Segment.io": False},
    {"All": False, "Segment.io": None},
    {"All": False, "Google Analytics": True},
    {"Stitch": False, "Segment.io": True},
    {"All": True, "Stitch": False},
    {"Stitch": False},
]

FOR_US = [
    {},
    None,
    [],
    "garbage",
    False,
    {"All": True},
    {"All": False, "Stitch": True},
    {"All": False, "Stitch": {"option": 1}},
    {"All": False, "Stitch": {}},
    {"All": False, "Segment.io": True},
    {"All": False, "Segment.io": {"deliveryStrategy": {}}},
    {"All": False, "segment.io": True},
    {"All": False, "SegmentIO": True},
    {"Segment.io": False},
    {"Stitch": None},
    {"stitch": False},
    {"Mixpanel": False},
    {"All": None},
    {"all": False},
]


@pytest.mark.parametrize("integrations", SHUT_OUT, ids=json.dumps)
def test_an_event_that_shuts_us_out_is_counted_and_not_stored(
    stitch: AppReceiver, integrations: object
) -> None:
    message_id = new_id()
    body = {"messageId": message_id, "integrations": integrations}

    answer = stitch.post("/v1/track", json.dumps(body))

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert not [line for line in stitch.lines() if message_id.encode() in line]
    logged = stitch.logged()[-1]
    assert (logged["events"], logged["shut_out"], logged["source"]) == (0, 1, "web")


def must_store(receiver: AppReceiver, integrations: object) -> None:
    message_id = new_id()
    body = {"messageId": message_id, "integrations": integrations}

    receiver.post("/v1/track", json.dumps(body))

    assert receiver.landed(message_id)[0]["payload"] == body
    assert receiver.logged()[-1]["shut_out"] == 0


@pytest.mark.parametrize("integrations", FOR_US, ids=json.dumps)
def test_an_event_that_does_not_is_stored_as_it_is(
    stitch: AppReceiver, integrations: object
) -> None:
    must_store(stitch, integrations)


def test_what_the_batch_says_is_merged_in_first(stitch: AppReceiver) -> None:
    own = {
        "out": {},
        "in by name": {"integrations": {"Stitch": True}},
        "in by all": {"integrations": {"All": True}},
        "no object": {"integrations": None},
        "out by name": {"integrations": {"Stitch": False}},
    }
    ids = {case: new_id() for case in own}
    events = [{"type": "page", "messageId": ids[case]} | own[case] for case in own]

    stitch.post("/v1/batch", json.dumps({"batch": events, "integrations": {"All": False}}))

    landed = {case for case in own if stitch.landed(ids[case])}
    assert landed == {"in by name", "in by all", "no object"}
    logged = stitch.logged()[-1]
    assert (logged["events"], logged["shut_out"]) == (3, 2)


def test_an_event_that_cannot_be_used_is_rejected_all_the_same(stitch: AppReceiver) -> None:
    marker = new_id()
    event = {"type": "nonsense", "x": marker, "integrations": {"All": False}}

    stitch.post("/v1/track", json.dumps(event))

    assert stitch.rejected(marker.encode())


def test_for_a_webhook_segment_has_filtered_already(stitch: AppReceiver) -> None:
    message_id = new_id()
    # What Segment's replays carry: named is the webhook, not us.
    event = {"type": "track", "messageId": message_id}
    event |= {"integrations": {"All": False, "Webhooks (Actions)": True}}

    stitch.post("/webhooks/hooks", json.dumps(event), headers=basic("hooks-key"))

    assert stitch.landed(message_id)[0]["payload"] == event


@pytest.mark.parametrize("integrations", SHUT_OUT, ids=json.dumps)
def test_all_of_them_are_stored_where_that_is_set(
    stores_all: AppReceiver, integrations: object
) -> None:
    must_store(stores_all, integrations)


def test_our_name_is_segment_unless_it_is_set(app: AppReceiver) -> None:
    ids = {name: new_id() for name in ("Segment", "Stitch")}
    for name, one in ids.items():
        body = {"messageId": one, "integrations": {"All": False, name: True}}
        app.post("/v1/track", json.dumps(body))

    assert app.landed(ids["Segment"])
    assert not app.landed(ids["Stitch"])
