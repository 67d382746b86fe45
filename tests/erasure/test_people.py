"""Whose a line or a body is."""

import gzip
import json

import pytest

from orchestration.loading.people import ANONYMOUS, USER, Id, People, Person, hash_of
from tests.support import landed

KEY = bytes(32)
ZOE = Id(USER, 'zoë/"1"')
DEVICE = Id(ANONYMOUS, "d-77")
NUMBER = Id(USER, "123456789012345678901234567890")
PEOPLE = People(KEY, [Person(one.kind, hash_of(KEY, one)) for one in (ZOE, DEVICE, NUMBER)])
KNOWING = PEOPLE.knowing([ZOE, DEVICE, NUMBER])


@pytest.mark.parametrize(
    "event",
    [
        json.dumps({"userId": ZOE.text}),
        json.dumps({"userId": ZOE.text}, ensure_ascii=False),
        json.dumps({"userId": ZOE.text}).replace("/", "\\/").replace("u00eb", "u00EB"),
        json.dumps({"userId": "bob", "anonymousId": DEVICE.text}),
        json.dumps({"type": "alias", "userId": "bob", "previousId": DEVICE.text}),
        json.dumps({"type": "alias", "userId": "bob", "previousId": ZOE.text}),
        '{"userId": 123456789012345678901234567890}',
    ],
)
def test_an_event_is_of_whom_its_own_ids_name(event: str) -> None:
    assert PEOPLE.of_event(event.encode())
    assert PEOPLE.of_line(landed.line(event, message_id="m")[:-1])
    assert PEOPLE.of_body(event.encode())


@pytest.mark.parametrize(
    "event",
    [
        json.dumps({"userId": "bob", "traits": {"userId": ZOE.text}}),
        json.dumps({"userId": DEVICE.text}),
        json.dumps({"anonymousId": ZOE.text}),
        '{"userId": 1234567890123456789012345678901}',
        '{"userId": null, "anonymousId": ["d-77"]}',
    ],
)
def test_what_an_event_says_elsewhere_does_not_count(event: str) -> None:
    assert not KNOWING.of_event(event.encode())
    assert not KNOWING.of_line(landed.line(event, message_id="m")[:-1])
    assert not KNOWING.of_body(event.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"userId": "zo\\u00eb/\\"1\\"", ',
        b'[{"userId": "bob"}, {"anonymousId": "d-77"}]',
        b'{"batch": [{"userId": "bob"}, {"anonymousId": "d-77"}]}',
        b'{"anonymousId": "d-77", "anonymousId": "other"}',
        b'\xff{"anonymousId": "d-77"}',
        '{"anonymousId": "d-77"'.encode("utf-16-le"),
        '{"anonymousId": "d-77"'.encode("utf-16-be"),
        gzip.compress(b'{"anonymousId": "d-77"}', mtime=0)[:-9],
        b"[" * 5000 + b'"anonymousId":"d-77"',
    ],
)
def test_a_body_that_is_no_event_is_of_anybody_in_it(body: bytes) -> None:
    assert PEOPLE.of_body(body)
    assert PEOPLE.of_line(landed.rejected_line(body)[:-1])
    assert KNOWING.of_line(landed.rejected_line(body)[:-5])


@pytest.mark.parametrize("body", [b"who=d-77&x", b"<a>d-77</a>", b"zo%C3%AB%2F%221%22", b'"d-77'])
def test_what_cannot_be_read_is_searched_for_the_id_itself(body: bytes) -> None:
    assert KNOWING.of_body(body)
    assert not PEOPLE.of_body(body)


def test_a_longer_id_is_another() -> None:
    assert not KNOWING.of_body(b"who=d-777")
    assert not KNOWING.of_body(b"who=id-77")
