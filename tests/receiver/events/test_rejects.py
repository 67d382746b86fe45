"""What is authenticated and cannot be used lands in rejected/, with its reason, and is 200."""

import json

import duckdb
import pytest

from receiver.events.check import Event, Limits, Rejected, check_event
from receiver.events.shared_fields import NOTHING_SHARED
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.senders import basic, new_id

LIMITS = Limits(event_bytes=100_000, depth=128)


def nested(levels: int, pair: bytes = b"[]") -> bytes:
    """Return an event that many levels deep."""
    inner = levels - 1
    if pair == b"[]":
        return b'{"type":"track","deep":' + b"[" * inner + b"]" * inner + b"}"
    return b'{"type":"track","deep":' + b'{"a":' * inner + b"1" + b"}" * inner + b"}"


def event_with(value: bytes) -> bytes:
    return b'{"type":"track","value":' + value + b"}"


UNUSABLE = {
    "null": (b"null", "not_object"),
    "a number": (b"1", "not_object"),
    "a string": (b'"x"', "not_object"),
    "an array": (b"[{}]", "not_object"),
    "nothing": (b"", "bad_json"),
    "no type": (b"{}", "no_type"),
    "null type": (b'{"type":null}', "no_type"),
    "another case": (b'{"type":"Track"}', "unknown_type"),
    "a trailing space": (b'{"type":"track "}', "unknown_type"),
    "a path": (b'{"type":"../../etc/passwd"}', "unknown_type"),
    "a NUL": (b'{"type":"track\\u0000"}', "unknown_type"),
    "our own folder": (b'{"type":"rejected"}', "unknown_type"),
    "a number as type": (b'{"type":1}', "unknown_type"),
    "a list as type": (b'{"type":["track"]}', "unknown_type"),
    "cut short": (b'{"type":"track"', "bad_json"),
    "two objects": (b'{"type":"track"}{}', "bad_json"),
    "NaN": (event_with(b"NaN"), "bad_json"),
    "Infinity": (event_with(b"[-Infinity]"), "bad_json"),
    "overflow": (event_with(b"1e400"), "bad_json"),
    "overflow below": (event_with(b'{"a":[-1E+400]}'), "bad_json"),
    "overflow by digits": (event_with(b"9" * 400 + b".0"), "bad_json"),
    "trailing comma": (b'{"type":"track",}', "bad_json"),
    "comment": (event_with(b"/**/1"), "bad_json"),
    "single quotes": (b"{'type':'track'}", "bad_json"),
    "a lone surrogate, and no JSON": (event_with(b'"\\ud800",'), "bad_json"),
    "raw line break in a string": (event_with(b'"a\nb"'), "bad_json"),
    "raw NUL in a string": (event_with(b'"a\0b"'), "bad_json"),
    "byte order mark": (b"\xef\xbb\xbf" + event_with(b"1"), "bad_json"),
    "UTF-16": (event_with(b"1").decode().encode("utf-16"), "not_utf8"),
    "wrong byte": (event_with(b'"\xff"'), "not_utf8"),
    "overlong byte": (event_with(b'"\xc0\xaf"'), "not_utf8"),
    "surrogate byte": (event_with(b'"\xed\xa0\x80"'), "not_utf8"),
    "wrong byte in a key": (b'{"type":"track","\xff":1}', "not_utf8"),
    "129 arrays": (nested(129), "too_deep"),
    "129 objects": (nested(129, b"{}"), "too_deep"),
    "20 000 levels": (nested(20_000), "too_deep"),
    "two types": (b'{"type":"track","type":"page"}', "duplicate_key"),
    "two types, spaced": (b'{"type": "track", "type": "page"}', "duplicate_key"),
    "two ids, escaped": (b'{"type":"track","a":1,"\\u0061":2}', "duplicate_key"),
    "two keys beyond ASCII": ('{"type":"track","é":1,"é":2}'.encode(), "duplicate_key"),
    "a number as id": (b'{"type":"track","messageId":1}', "bad_message_id"),
    "an empty id": (b'{"type":"track","messageId":""}', "bad_message_id"),
    "a blank id": (b'{"type":"track","messageId":" \\t"}', "bad_message_id"),
    "an id of a zero-width space": (b'{"type":"track","messageId":"\\u200b"}', "bad_message_id"),
    "an id of a byte order mark": (
        b'{"type":"track","messageId":"\xef\xbb\xbf"}',
        "bad_message_id",
    ),
    "an id of a NUL": (b'{"type":"track","messageId":"\\u0000"}', "bad_message_id"),
    "an id of U+FFFD": (b'{"type":"track","messageId":"\\ufffd"}', "bad_message_id"),
    "a long id": (b'{"type":"track","messageId":"' + b"i" * 10_000 + b'"}', "bad_message_id"),
    "too big": (event_with(b'"' + b"x" * 100_000 + b'"'), "too_big"),
}

USABLE = {
    "128 arrays": nested(128),
    "128 objects": nested(128, b"{}"),
    "brackets in strings": event_with(b'"' + b"[{" * 500 + b'"'),
    "a long integer": event_with(b"12345678901234567890123"),
    "400 digits": event_with(b"9" * 400),
    "a tiny number": event_with(b"1e-400"),
    "a NUL escape": event_with(b'"\\u0000"'),
    "a surrogate pair": event_with(b'"\\ud83d\\ude00"'),
    "odd keys": b'{"type":"track","":1," ":2,"a\\"b":3,"\\u202e":4,"Type":5}',
    "twice below the top": event_with(b'{"a":1,"a":2}'),
    "context is a list": b'{"type":"track","context":[],"integrations":false}',
    "a long name": b'{"type":"track","event":"' + b"e" * 5000 + b'"}',
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_event_has_its_reason(case: str) -> None:
    item, reason = UNUSABLE[case]

    checked = check_event(item, NOTHING_SHARED, None, LIMITS)

    assert isinstance(checked, Rejected)
    assert (checked.reason, checked.body) == (reason, item)


@pytest.mark.parametrize("case", USABLE)
def test_an_odd_event_is_kept_as_it_is(case: str) -> None:
    item = USABLE[case]

    checked = check_event(item, NOTHING_SHARED, None, LIMITS)

    assert isinstance(checked, Event)
    assert checked.payload == item


@pytest.mark.parametrize("case", USABLE)
def test_duckdb_reads_what_is_kept(case: str) -> None:
    (valid,) = duckdb.execute("select json_valid(?)", [USABLE[case].decode()]).fetchone() or ()

    assert valid


# In an array the first three have no end of their own; the last depends on the limit.
@pytest.mark.parametrize(
    "case", sorted(UNUSABLE.keys() - {"nothing", "cut short", "two objects", "too big"})
)
def test_one_bad_event_costs_its_batch_nothing_else(app: AppReceiver, case: str) -> None:
    item, reason = UNUSABLE[case]
    before, after = new_id(), new_id()
    good = [json.dumps({"type": "page", "messageId": one}).encode() for one in (before, after)]

    def rejected() -> int:
        lines = app.rejected(item)
        return [(line["reason"], line["body"]) for line in lines].count((reason, item))

    seen = rejected()
    answer = app.post("/v1/batch", b'{"batch":[%b,%b,%b]}' % (good[0], item, good[1]))

    assert answer.status_code == 200
    assert [len(app.landed(one)) for one in (before, after)] == [1, 1]
    assert rejected() == seen + 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"%b", "bad_json"),
        (b'["%b"]', "not_object"),
        (b'{"a":"%b"}', "no_batch"),
        (b'{"batch":"%b"}', "no_batch"),
        (b'{"batch":[],"batch":[{"x":"%b"}]}', "duplicate_key"),
        (b'{"batch":[{"x":"%b"}', "bad_json"),
        (b'{"batch":[{"x":"%b"}]} x', "bad_json"),
        (b'{"batch":[{"type":"track","x":"%b"}],"context":{"a":1e400}}', "bad_json"),
        (b'{"batch":[{"type":"track","x":"%b"}],"context":"\xff"}', "not_utf8"),
    ],
)
def test_a_body_that_is_no_batch_is_kept_whole(app: AppReceiver, body: bytes, reason: str) -> None:
    body %= new_id().encode()

    answer = app.post("/v1/batch", body)

    assert answer.status_code == 200
    (line,) = app.rejected(body)
    assert (line["reason"], line["body"], line["source"]) == (reason, body, "web")


@pytest.mark.parametrize("body", [b'[{"x":"%b"', b'{"x":"%b"', b'"%b"', b"\xfe%b"])
def test_a_webhook_that_cannot_be_read_is_kept_whole(app: AppReceiver, body: bytes) -> None:
    body %= new_id().encode()

    answer = app.post("/webhooks/hooks", body, headers=basic("hooks-key"))

    assert answer.status_code == 200
    assert [line["body"] for line in app.rejected(body)] == [body]


def test_a_rejected_event_knows_the_call_of_its_path(app: AppReceiver) -> None:
    marker = new_id().encode()

    app.post("/v1/identify", b'{"x":"%b",}' % marker)

    assert [line["call"] for line in app.rejected(marker)] == ["identify"]


def test_two_events_that_differ_in_half_a_character_are_two() -> None:
    sent = (event_with(b'"\\ud83%c"' % end) for end in b"de")
    checked = [check_event(item, NOTHING_SHARED, None, LIMITS) for item in sent]

    one, other = (event for event in checked if isinstance(event, Event))
    assert one.payload == other.payload
    assert one.message_id != other.message_id
