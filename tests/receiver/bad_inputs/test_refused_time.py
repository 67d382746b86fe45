"""Bad inputs: what costs much and lands nothing, or little, is charged to whoever sent it.

The clock goes on by a second whenever it is looked at: of ten seconds, that is all somebody has.
"""

import gzip
import json
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace

import pytest

from receiver.errors import NotLandedError, RequestRefusedError, ThrottledError, unauthorized
from receiver.http import body as body_module
from receiver.http.refused_time import RefusedTime, UnauthenticatedTime
from receiver.server import native_threads
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, bad_input
from tests.support.receiver.held_bodies import post_from
from tests.support.receiver.senders import WEB, basic

PACKED = {"Content-Encoding": "gzip"}
BACKEND = basic("backend-key")
ARRAYS = b",".join([b"[]"] * 11_000)
REFUSED = {
    "with too many events": b'{ "writeKey":"web-key" ,"batch":[%b]}' % ARRAYS,
    "without a batch": b'{ "writeKey":"web-key" ,"y":[%b]}' % ARRAYS,
    "with two batches": b'{"batch":1,"batch":[%b],"writeKey":"web-key" }' % ARRAYS,
    "with shared fields that are too deep for an event": (
        b'{ "writeKey":"web-key" ,"batch":[],"context":%b%b}' % (b"[" * 1000, b"]" * 1000)
    ),
    "with thousands of names, one of them twice": b'{ "writeKey":"web-key" ,"batch":[],%b}'
    % b",".join(b'"%d":1' % (number % 2000) for number in range(2001)),
}
DAMAGED = {
    "small": b"[]",
    "a sign in two encodings again and again": b'"%b"' % (b"%5c" * 2000),
    "the same, so large that a thread looks through it": b'"%b"' % (b"%5c" * 4000),
}


@pytest.fixture
def hurried(make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch) -> AppReceiver:
    """A receiver whose clock goes on by a second whenever it is looked at."""
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    return make_app(refused_time_share=0.1)


def is_spent(app: AppReceiver, headers: dict[str, str]) -> bool:
    answer = app.post("/v1/track", '{"type":"track"}', headers=headers)
    return answer.status_code == 429 and answer.json()["code"] == "busy"


@bad_input("B171", "a valid batch of which nothing lands, again and again", "429 for that kind of "
           "key, others unharmed")  # fmt: skip
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("headers", [WEB, {}], ids=["key in the header", "key in the body"])
def test_a_valid_batch_of_which_nothing_lands_is_charged_to_its_sender(
    hurried: AppReceiver, headers: dict[str, str], body: bytes
) -> None:
    assert hurried.post("/v1/batch", body, headers=headers).status_code in (200, 413)

    assert is_spent(hurried, WEB)
    assert not is_spent(hurried, BACKEND)


@bad_input("B171", "gzip that unpacks to too much, again and again", "429 for that kind of key, "
           "others unharmed")  # fmt: skip
def test_gzip_that_unpacks_to_too_much_is_charged_to_its_sender(hurried: AppReceiver) -> None:
    packed = gzip.compress(b'{"type":"track"}' + b" " * 1_000_000)
    assert hurried.post("/v1/track", packed, headers=WEB | PACKED).status_code == 413

    assert is_spent(hurried, WEB)
    assert not is_spent(hurried, BACKEND)


@bad_input("B171", "a webhook's batch with too many events, again and again", "429, others "
           "unharmed")  # fmt: skip
def test_a_webhooks_batch_with_too_many_events_is_charged_to_its_source(
    hurried: AppReceiver,
) -> None:
    many = b"[%b]" % ARRAYS
    assert hurried.post("/webhooks/hooks", many, headers=KEY).status_code == 413

    assert hurried.post("/webhooks/hooks", many, headers=KEY).status_code == 429
    assert not is_spent(hurried, BACKEND)


@bad_input("B172", "damaged elements of a valid batch, again and again", "429 for that "
           "kind of key, others unharmed")  # fmt: skip
@pytest.mark.parametrize("element", DAMAGED.values(), ids=DAMAGED)
def test_damaged_elements_of_a_batch_are_charged_to_its_sender(
    hurried: AppReceiver, element: bytes
) -> None:
    batch = b'{"batch":[%b]}' % element
    assert hurried.post("/v1/batch", batch, headers=WEB).status_code == 200

    assert is_spent(hurried, WEB)
    assert not is_spent(hurried, BACKEND)


def test_what_lands_costs_an_honest_sender_nothing_however_it_is_written(
    hurried: AppReceiver,
) -> None:
    events = [{"type": "track", "event": "e", "properties": {"n": n}} for n in range(1000)]
    pretty = json.dumps({"batch": events, "sentAt": "2026-11-27T00:00:00Z"}, indent=2)

    for body in (pretty, json.dumps({"batch": events}), gzip.compress(pretty.encode())):
        headers = WEB | (PACKED if isinstance(body, bytes) else {})
        assert hurried.post("/v1/batch", body, headers=headers).status_code == 200
    assert not is_spent(hurried, WEB)


@bad_input("B173", "many damaged bodies that are held back at their last byte, and end together",
           "429 for those whose turn comes when their sender's time is used up")  # fmt: skip
@pytest.mark.parametrize("headers", [WEB, {}], ids=["key in the header", "key in the body"])
def test_a_body_is_not_read_where_its_senders_time_was_used_up_meanwhile(
    hurried: AppReceiver, headers: dict[str, str]
) -> None:
    body = b'{"writeKey":"web-key","batch":[{"type":"page"},],"x":"%b"' % (b"x" * 130_000)
    statuses: list[int] = []

    def another() -> None:
        statuses.append(hurried.post("/v1/batch", body, headers=headers).status_code)

    statuses.append(post_from(hurried, "192.0.2.1", "/v1/batch", body, headers, another))

    assert statuses == [200, 429]


@bad_input("B173", "many bodies without a key that are held back at their last byte, and end "
           "together", "429 once their address has used up its time")  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/track", "/webhooks/signed"])
def test_an_unauthenticated_body_is_not_read_where_the_addresses_time_was_used_up_meanwhile(
    hurried: AppReceiver, path: str
) -> None:
    wrong, body = {"X-Signature": "0" * 40}, b"x" * 130_000
    statuses: list[int] = []

    def another() -> None:
        statuses.append(post_from(hurried, "192.0.2.1", path, body, wrong))

    statuses.append(post_from(hurried, "192.0.2.1", path, body, wrong, another))

    assert statuses == [401, 429]


@pytest.mark.parametrize("error", [ThrottledError(1), NotLandedError("busy")], ids=type)
def test_what_is_to_come_again_is_charged_to_nobody(
    monkeypatch: pytest.MonkeyPatch, error: RequestRefusedError
) -> None:
    monkeypatch.setattr(native_threads, "time", SimpleNamespace(thread_time=count(0, 1).__next__))
    for budget in (RefusedTime(0.1), UnauthenticatedTime(0.1)):
        with pytest.raises(type(error)), budget.at_work("192.0.2.1"):
            raise error
        budget.must_have_left("192.0.2.1")

        with pytest.raises(RequestRefusedError), budget.at_work("192.0.2.1"):
            raise unauthorized()
        with pytest.raises(ThrottledError):
            budget.must_have_left("192.0.2.1")


def test_others_run_before_gzip_is_unpacked_that_takes_long(
    app: AppReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[None] = []
    monkeypatch.setattr(body_module, "let_others_run", lambda: turns.append(None))
    small, large = (gzip.compress(b'{"type":"page","x":"%b"}' % (b"%d" % 7**n)) for n in (1, 1500))

    assert app.post("/v1/track", small, headers=WEB | PACKED).status_code == 200
    assert turns == []
    assert app.post("/v1/track", large, headers=WEB | PACKED).status_code == 200
    assert len(turns) == 1
