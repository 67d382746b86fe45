"""`context.ip`: the address of the browser or device an event was made on."""

import json
from collections.abc import Callable

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.fixtures import Refusal
from tests.support.receiver.senders import WEB, basic, new_id


@pytest.fixture(scope="module")
def proxied(make_apps: Callable[..., AppReceiver]) -> AppReceiver:
    """A receiver behind proxies on this machine, in 10.0.0.0/8 and at one IPv6 address."""
    return make_apps(trusted_proxies="127.0.0.0/8, 10.0.0.0/8,2001:db8::1")


def context_of(
    receiver: AppReceiver, event: dict[str, object], headers: dict[str, str] | None = None
) -> object:
    """Send one event; return the context it landed with."""
    message_id = new_id()
    body = json.dumps(event | {"messageId": message_id})
    assert receiver.post("/v1/track", body, headers=WEB | (headers or {})).status_code == 200
    (line,) = receiver.landed(message_id)
    return line["payload"].get("context")


def library(name: object) -> dict[str, object]:
    return {"context": {"library": {"name": name}}}


MADE_HERE = [
    {"context": {"direct": True}},
    {"context": {"direct": True, "library": {"name": "analytics-python"}}},
    {"channel": "browser"},
    {"channel": "mobile"},
    {"channel": "client"},
    {"context": {"channel": "browser"}},
    library("analytics.js"),
    library("analytics-ios"),
    library("analytics-android"),
    library("analytics-kotlin"),
    library("analytics-swift"),
    library("analytics-react-native"),
]

MADE_ELSEWHERE = [
    {},
    {"context": {}},
    {"context": {"direct": False, "library": {"name": "analytics.js"}}},
    {"channel": "server", "context": {"library": {"name": "analytics.js"}}},
    library("analytics-python"),
    library("@segment/analytics-node"),
    library(None),
    {"context": {"library": "analytics.js"}},
    {"context": {"direct": "true"}},
]


@pytest.mark.parametrize("event", MADE_HERE, ids=json.dumps)
def test_an_event_of_a_browser_or_device_gets_its_address(
    app: AppReceiver, event: dict[str, object]
) -> None:
    context = event.get("context", {})

    assert context_of(app, event) == context | {"ip": "127.0.0.1"}


@pytest.mark.parametrize("event", MADE_ELSEWHERE, ids=json.dumps)
def test_an_event_of_a_server_gets_none(app: AppReceiver, event: dict[str, object]) -> None:
    assert context_of(app, event) == event.get("context")


@pytest.mark.parametrize("own", ["0.0.0.0", "", None, 7])  # noqa: S104
def test_an_address_the_event_has_stays(app: AppReceiver, own: object) -> None:
    context = {"direct": True, "ip": own}

    assert context_of(app, {"context": context}) == context


@pytest.mark.parametrize("context", [[], None, "text", 5])
def test_a_context_that_is_no_object_stays_as_it_is(app: AppReceiver, context: object) -> None:
    assert context_of(app, {"channel": "browser", "context": context}) == context


def test_the_address_is_put_in_and_nothing_else_changes(app: AppReceiver) -> None:
    message_id = new_id()
    head = '{ "messageId":"%s", "n":[1e21,10.0], "context" : { "direct":true'
    tail = ' } ,"s":"\\u00e9\\/" }'

    app.post("/v1/track", head % message_id + tail)

    (line,) = app.lines("track", holding=message_id)
    landed = line.decode().partition(',"payload":')[2]
    assert landed == head % message_id + ',"ip":"127.0.0.1"}' + tail[2:] + "}\n"


def test_what_a_batch_says_of_all_its_events_counts(app: AppReceiver) -> None:
    ids = [new_id() for _ in range(3)]
    contexts = [{}, {"context": {"direct": False}}, {"context": {"ip": "own"}}]
    batch = {
        "batch": [
            {"type": "track", "messageId": one} | context
            for one, context in zip(ids, contexts, strict=True)
        ],
        "context": {"direct": True},
    }

    app.post("/v1/batch", json.dumps(batch))

    landed = [app.landed(one)[0]["payload"]["context"] for one in ids]
    assert landed == [
        {"direct": True, "ip": "127.0.0.1"},
        {"direct": False},
        {"ip": "own", "direct": True},
    ]


def test_a_batch_that_brings_an_address_keeps_it(app: AppReceiver) -> None:
    message_id = new_id()
    event = {"type": "track", "messageId": message_id, "channel": "browser"}

    app.post("/v1/batch", json.dumps({"batch": [event], "context": {"ip": "shared"}}))

    assert app.landed(message_id)[0]["payload"]["context"] == {"ip": "shared"}


def test_a_webhooks_event_gets_none(app: AppReceiver) -> None:
    message_id = new_id()
    event = {"type": "track", "messageId": message_id, "channel": "browser"}

    app.post("/webhooks/hooks", json.dumps(event), headers=basic("hooks-key"))

    assert app.landed(message_id)[0]["payload"] == event


def test_nobody_is_believed_who_is_not_trusted(app: AppReceiver) -> None:
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Real-IP": "203.0.113.7"}

    context = context_of(app, {"context": {"direct": True}}, headers)

    assert context == {"direct": True, "ip": "127.0.0.1"}


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the first one, anybody can send
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("198.51.100.1,203.0.113.7 ,10.1.2.3,127.0.0.2", "203.0.113.7"),
        ("203.0.113.7, 2001:db8::1", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("10.9.9.9", "10.9.9.9"),
        ("nonsense", None),
        ("203.0.113.7, nonsense", None),
        ("203.0.113.7,", "203.0.113.7"),
        ('"><script>', None),
    ],
)
def test_a_trusted_proxy_says_where_a_request_came_from(
    proxied: AppReceiver, forwarded: str, address: str | None
) -> None:
    context = context_of(proxied, {"context": {"direct": True}}, {"X-Forwarded-For": forwarded})

    assert context == {"direct": True} | ({"ip": address} if address else {})


def test_a_trusted_proxy_that_says_nothing_is_the_sender(proxied: AppReceiver) -> None:
    assert context_of(proxied, {"channel": "browser"}) == {"ip": "127.0.0.1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trusted_proxies", "everybody"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("public_url", "events.example.com"),
        ("public_url", "ftp://events.example.com"),
        ("public_url", "https://me:secret@events.example.com"),
        ("public_url", "https://events.example.com/?a=1"),
    ],
)
def test_a_setting_that_is_wrong_is_named(refusal: Refusal, name: str, value: str) -> None:
    said = refusal(**{name: value})

    assert f"SEAMLINE_{name.upper()}" in said
    assert "secret" not in said
