"""Whose a line or a body is."""

import gzip
import hmac
import json
import tracemalloc

import pytest

from landed.settings import MB
from orchestration.loading.people import ANONYMOUS, USER, Id, People, Person, hash_of
from receiver.events.json_text import JsonObject
from receiver.events.suppression import SuppressedPeople
from tests.support import landed
from tests.support.processor_time import least_processor_seconds

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


WITH_NUL = [
    pytest.param('{"type": "track", "userId": "u\\u0000x"}', id="escaped"),
    pytest.param('{"type": "alias", "userId": "bob", "previousId": "u\\u0000x"}', id="previous"),
    pytest.param('{"type": "track", "userId": "u\\ufffdx"}', id="as the tables show it"),
]


@pytest.mark.parametrize("named", ["u\ufffdx", "u\0x"])
@pytest.mark.parametrize("event", WITH_NUL)
def test_an_id_with_a_nul_is_the_one_that_the_tables_show(event: str, named: str) -> None:
    one = Id(USER, named)
    person = PEOPLE.person(one)
    people = People(KEY, [person], [one])
    receiving = SuppressedPeople(KEY, [person])

    assert people.of_event(event.encode()) == {person}
    assert people.of_line(landed.line(event, message_id="m")[:-1]) == {person}
    assert people.of_body(event.encode()) == {person}
    assert receiving.has_sent(JsonObject(event.encode()).values)
    assert receiving.is_in(event.encode())


@pytest.mark.parametrize(
    "body",
    [
        b'{"userId": "u1\\u0000x", ',
        b'{"userId": "u1\0x"}',
        b"who=u1%00x&y",
        b"who=u1%EF%BF%BDx",
        b'"u1\0x"',
    ],
)
def test_nor_is_it_another_in_what_cannot_be_read(body: bytes) -> None:
    one = Id(USER, "u1\ufffdx")

    assert People(KEY, [PEOPLE.person(one)], [one]).of_body(body)


def test_who_was_suppressed_by_an_id_with_its_nul_still_is() -> None:
    event = '{"type": "track", "userId": "u\\u0000x"}'
    before = hmac.digest(KEY, b"user\0u\0x", "sha256").hex()

    assert SuppressedPeople(KEY, [(USER, before)]).has_sent(JsonObject(event.encode()).values)
    assert People(KEY, [Person(USER, before)]).of_event(event.encode())


def test_an_id_without_the_nul_is_another() -> None:
    event = '{"type": "track", "userId": "u\\u0000x"}'
    other = PEOPLE.person(Id(USER, "ux"))

    assert not People(KEY, [other]).of_event(event.encode())
    assert not SuppressedPeople(KEY, [other]).has_sent(JsonObject(event.encode()).values)


def seconds_for(ids: int, body: bytes) -> float:
    others = [Id(USER, f"other-{number}") for number in range(ids)]
    people = People(KEY, map(PEOPLE.person, others), [*others, DEVICE])
    return least_processor_seconds(lambda: [people.of_body(body) for _ in range(20)])


def test_what_cannot_be_read_is_searched_once_for_any_number_of_ids() -> None:
    body = b'{"userId": other-3 ' * 50

    assert seconds_for(5_000, body) < 100 * seconds_for(5, body)  # 1,000 times, if once for each


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(b'{"userId":"u-55aa"} ', mtime=0)[:-8] + bytes(8),
        gzip.compress(b"x", mtime=0) + gzip.compress(b'{"userId":"u-55aa"', mtime=0),
        gzip.compress(b'{"userId":"u-55aa"', mtime=0) + b"junk",
    ],
    ids=["a wrong checksum", "a second member", "something behind it"],
)
def test_a_packed_body_is_searched_as_far_as_it_is_sound(packed: bytes) -> None:
    one = Id(USER, "u-55aa")
    people = People(KEY, [PEOPLE.person(one)], [one])

    assert people.of_body(packed) == {PEOPLE.person(one)}
    assert people.of_line(landed.rejected_line(packed)[:-1]) == {PEOPLE.person(one)}


def test_half_a_character_in_a_rejected_body_is_what_it_lands_as() -> None:
    one = Id(USER, "x\ufffd")
    people = People(KEY, [PEOPLE.person(one)], [one])

    assert people.of_body(b'{"userId":"x\\ud83d","type":"?"}') == {PEOPLE.person(one)}
    assert SuppressedPeople(KEY, [PEOPLE.person(one)]).is_in(b'{"userId":"x\\ud83d"')


OTHERS = [Id(USER, f"z-other-{number}") for number in range(200)]


@pytest.mark.parametrize("before", [b"", b'"', b"x", b"7", b"\xff", b"zo"])
@pytest.mark.parametrize("behind", [b"", b'"', b"x", b"7", b"\xff", b"Zo"])
def test_an_id_is_found_alike_beside_few_and_beside_many(before: bytes, behind: bytes) -> None:
    text = b"zoe" + before + ZOE.text.encode() + behind
    few, many = PEOPLE.knowing([ZOE]), PEOPLE.knowing([ZOE, *OTHERS])

    stands = not before[-1:].isalnum() and not behind[:1].isalnum() and before != b""
    assert few.stand_in(text) == many.stand_in(text) == stands
    assert set(few.named_in(text)) == set(many.named_in(text))


@pytest.mark.parametrize("filler", [b"\1", b'"', b'{"a":1},'])
def test_what_begins_no_id_that_is_sought_is_not_looked_at_one_by_one(filler: bytes) -> None:
    """Kept bodies are packed, and unpack to two hundred times what they took to send."""
    known = PEOPLE.knowing([ZOE, DEVICE, *OTHERS])

    def seconds(text: bytes) -> float:
        body = (text * MB)[:MB]
        return least_processor_seconds(lambda: known.of_body(body))

    assert seconds(filler) < 6 * seconds(b"a" * 100 + b" ")  # 2 to 3; 13 to 18, if it is


def test_a_text_that_never_ends_takes_no_more_memory_than_itself() -> None:
    body = b'{"userId": "' + b"a" * 1_000_000

    tracemalloc.start()
    PEOPLE.of_body(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 20 * len(body)


def test_the_receiver_takes_no_unreadable_body_for_one_of_whom_a_notification_suppressed() -> None:
    broken, whole = b'{"anonymousId": "d-77", ', b'{"anonymousId": "d-77"}'
    person = PEOPLE.person(DEVICE)

    assert SuppressedPeople(KEY, [person]).is_in(broken)
    assert not SuppressedPeople(KEY, [person], [person]).is_in(broken)
    assert SuppressedPeople(KEY, [person], [person]).is_in(whole)
