"""Segment's webhooks: one event or an array, signed or with a write key."""

import hashlib
import hmac
import json

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id

# What JavaScript writes and Python would not: 1e21, 10.0, odd white space, escapes.
ODD = b'{ "type":"track",\t"messageId" : "%b","n":[1e21,10.0,1e-7,0.10],"s":"\\u00e9\\/\xc3\xa9" }'


def odd_event(message_id: str) -> bytes:
    return ODD % message_id.encode()


def sign(text: bytes, key: str = "new secret", digest: str = "sha1") -> dict[str, str]:
    return {"X-Signature": hmac.new(key.encode(), text, digest).hexdigest()}


def test_an_object_and_an_array_land_with_a_write_key(app: AppReceiver) -> None:
    ids = [new_id() for _ in range(3)]
    one, *two = [json.dumps({"type": "page", "messageId": one}) for one in ids]

    for body in (one, f"[{','.join(two)}]"):
        answer = app.post("/webhooks/hooks", body, headers=basic("hooks-key"))
        assert answer.status_code == 200

    assert [len(app.landed(one)) for one in ids] == [1, 1, 1]
    assert app.landed(ids[0])[0]["source"] == "hooks"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_segment_may_use_three_methods(app: AppReceiver, method: str) -> None:
    answer = app.http.request(method, "/webhooks/hooks", content="[]", headers=basic("hooks-key"))

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/webhooks/hooks", {}),
        ("/webhooks/hooks", basic("web-key")),  # another source's
        ("/webhooks/nobody", basic("hooks-key")),
        ("/webhooks/hooks", sign(b"[]")),  # has no shared secret
    ],
)
def test_without_the_sources_own_credential_it_is_401(
    app: AppReceiver, path: str, headers: dict[str, str]
) -> None:
    assert app.post(path, "[]", headers=headers).status_code == 401


@pytest.mark.parametrize("secret", ["new secret", "old secret"])
def test_a_signed_event_lands_with_either_secret(app: AppReceiver, secret: str) -> None:
    message_id = new_id()
    body = odd_event(message_id)

    answer = app.post("/webhooks/signed", body, headers=sign(body, secret))

    assert answer.status_code == 200
    assert app.landed(message_id)


def test_a_signature_in_upper_case_is_the_same(app: AppReceiver) -> None:
    headers = {"X-Signature": sign(b"{}")["X-Signature"].upper()}

    assert app.post("/webhooks/signed", b"{}", headers=headers).status_code == 200


RIGHT = sign(b"{}")["X-Signature"]


@pytest.mark.parametrize(
    "signature",
    [
        "0" * 40,
        RIGHT[:-1],
        RIGHT + "0",
        "",
        "é" * 40,
        " ".join(RIGHT[i : i + 2] for i in range(0, 40, 2)),
        f"{RIGHT},{RIGHT}",
        "f" * 8000,
        sign(b"{}", digest="sha256")["X-Signature"],
        sign(b"{} ")["X-Signature"],
        sign(b"{}", "another secret")["X-Signature"],
    ],
)
def test_a_wrong_signature_is_401(app: AppReceiver, signature: str) -> None:
    headers = {"X-Signature": signature.encode("latin-1")}

    assert app.post("/webhooks/signed", b"{}", headers=headers).status_code == 401


def test_two_signatures_are_401(app: AppReceiver) -> None:
    headers = [("X-Signature", RIGHT), ("X-Signature", RIGHT)]

    assert app.post("/webhooks/signed", b"{}", headers=headers).status_code == 401


def test_a_write_key_does_not_replace_a_signature(app: AppReceiver) -> None:
    answer = app.post("/webhooks/signed", b"{}", headers=basic("signed-key"))

    assert answer.status_code == 401


@pytest.mark.parametrize("digest_of", ["first element", "whole array"])
def test_a_signed_array_lands_with_the_write_key(app: AppReceiver, digest_of: str) -> None:
    ids = [new_id(), new_id()]
    first, second = map(odd_event, ids)
    body = b" [ \n" + first + b" , " + second + b"] "
    headers = sign(first if digest_of == "first element" else body) | basic("signed-key")

    answer = app.post("/webhooks/signed", body, headers=headers)

    assert answer.status_code == 200
    assert [len(app.landed(one)) for one in ids] == [1, 1]


def test_a_signature_alone_is_not_enough_for_an_array(app: AppReceiver) -> None:
    first, forged = new_id(), new_id()
    body = b"[" + odd_event(first) + b"," + odd_event(forged) + b"]"

    answer = app.post("/webhooks/signed", body, headers=sign(odd_event(first)))

    assert answer.status_code == 401
    assert not app.landed(first)
    assert not app.landed(forged)


def test_the_first_element_is_found_in_an_array_that_is_damaged_later(
    app: AppReceiver,
) -> None:
    message_id = new_id()
    first = odd_event(message_id)
    headers = sign(first) | basic("signed-key")

    answer = app.post("/webhooks/signed", b"[" + first + b",{nonsense}]", headers=headers)

    assert answer.status_code == 200
    assert app.landed(message_id)


def test_a_signature_is_sha1_over_the_bytes_as_sent() -> None:
    assert hmac.new(b"new secret", b"{}", hashlib.sha1).hexdigest() == RIGHT
