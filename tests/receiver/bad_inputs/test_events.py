"""Bad inputs: good JSON that is an odd event."""

import json

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import Case, Line, each, event, lands, must_come_of, rejected
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import WEB, basic

ODD_NAMES = {
    "empty": "",
    "a space": " ",
    "a line break": "a\nb",
    "U+202E": "a\u202eb",
    "of 5,000 characters": "n" * 5000,
    "`select`": "select",
    "an emoji": "😀",
    "quotes and a semicolon": 'a"; drop table raw.track; --',
    "a placeholder": "{{ this }} %s $1 ?",
    "dots and underscores": "a.b__c",
}


def properties(value: object) -> bytes:
    return event(b'"properties":' + json.dumps(value, ensure_ascii=False).encode())


def typed(text: bytes) -> bytes:
    return b'{"messageId":"%ID%","type":' + text + b"}"


def identified(text: bytes) -> bytes:
    return b'{"type":"track","n":"%ID%","messageId":' + text + b"}"


UNKNOWN_TYPES = {
    "a path out of the folder": b'"../../etc/passwd"',
    "a path within": b'"track/../x"',
    "a device": b'"CON"',
    "a NUL": b'"track\\u0000"',
    "of 10 KB": b'"' + b"t" * 10_000 + b'"',
    "in another case": b'"Track"',
    "with a space": b'"TRACK "',
    "our own folder": b'"rejected"',
    "a number": b"1",
    "a truth": b"true",
    "an object": b"{}",
    "an array": b'["track"]',
    "empty": b'""',
}

BAD_IDS = {
    "a number": b"1",
    "0": b"0",
    "false": b"false",
    "an object": b"{}",
    "an array": b"[]",
    "empty": b'""',
    "of 10 KB": b'"' + b"i" * 10_000 + b'"',
    "only white space": b'" \\t\\n\xe2\x80\x83"',
    "a zero-width space": b'"\\u200b"',
    "a byte order mark": b'"\\ufeff"',
    "a NUL": b'"\\u0000"',
    "U+FFFD": b'"\\ufffd"',
}

TIMES = [
    '"2024-13-45"', "1700000000", "1700000000000", '"0001-01-01T00:00:00Z"',
    '"9999-12-31T23:59:59Z"', '"275760-09-13T00:00:00Z"', '"now"', "{}", "null", '""',
]  # fmt: skip

HASHED = b'{"type":"track","event":"%ID%"}'

CASES = [
    lands("B56", "10,000 properties", properties({f"p{n}": n for n in range(10_000)})),
    *(lands("B57", f"100 properties nobody else has, {n} of 100",
            properties({f"p{n}_{m}": m for m in range(100)})) for n in (1, 2)),
    *(lands("B59" if "quotes" in what else "B60", f"a property's name: {what}",
            properties({name: 1})) for what, name in ODD_NAMES.items()),
    *(rejected("B61", f"`type` is {what}", typed(text), "unknown_type")
      for what, text in UNKNOWN_TYPES.items()),
    rejected("B61", "`type` is null", typed(b"null"), "no_type"),
    lands("B62", "an alias", event(call=b"alias"), "alias"),
    lands("B62", "a deletion, of a source that may order it", event(call=b"delete"), "delete",
          path="/webhooks/partner", headers=basic("partner-key")),
    rejected("B62", "an audience's call", event(call=b"audience_entered"), "unknown_type"),
    lands("B63", "a track without `event`", event()),
    lands("B63", "a page without `name`", event(call=b"page"), "page"),
    lands("B64", "no `messageId`: a hash stands for it", HASHED),
    lands("B64", "null as `messageId`, likewise", identified(b"null")),
    *(rejected("B65", f"`messageId` is {what}", identified(text), "bad_message_id")
      for what, text in BAD_IDS.items()),
    lands("B65", "a `messageId` of 1,000 characters", identified(b'"%ID%' + b"i" * 900 + b'"')),
    Case("B66", "one `messageId` with two contents: both rows are kept", 200,
         (Line("track", event(b'"n":1')), Line("track", event(b'"n":2'))),
         b"[" + event(b'"n":1') + b"," + event(b'"n":2') + b"]"),
    Case("B67", "one `messageId` in two calls", 200,
         (Line("track", event()), Line("page", event(call=b"page"))),
         b"[" + event() + b"," + event(call=b"page") + b"]"),
    *(lands("B68", f"`timestamp` is `{text}`", event(b'"timestamp":' + text.encode()))
      for text in TIMES),
    lands("B69", "`receivedAt` in ten years", event(b'"receivedAt":"2036-11-22T00:00:00Z"')),
    lands("B69", "`sentAt` is an object", event(b'"sentAt":{"a":1}')),
    *(lands("B70", f"`context` is `{text}`", event(b'"context":' + text.encode()))
      for text in ('"x"', "[]", "1", "null")),
    lands("B70", "`traits` is null and `integrations` false",
          event(b'"traits":null,"integrations":false', b"identify"), "identify"),
    lands("B71", "`properties` is an array", properties([1, {"a": 2}])),
    lands("B71", "`properties` is JSON in a string", properties('{"a": 1}')),
    Case("B72", "an element that is no object among 4,000", 200,
         (*(Line("track", event(b'"n":%d' % n)) for n in range(3999)),
          Line("rejected", b'"no object"', "not_object")),
         b"[" + b",".join([*(event(b'"n":%d' % n) for n in range(2000)), b'"no object"',
                           *(event(b'"n":%d' % n) for n in range(2000, 3999))]) + b"]"),
]  # fmt: skip


@each(CASES)
def test_an_odd_event_lands_as_it_came_or_with_its_reason(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


def test_an_event_without_an_id_has_the_same_one_when_it_comes_again(
    app: AppReceiver,
) -> None:
    def ids() -> list[str]:
        lines = [json.loads(line) for line in app.lines("track") if b"again-and-again" in line]
        return [line["message_id"] for line in lines]

    times = ('"sentAt":"then"', '"sentAt": "then"')
    for body in (f'{{"event":"again-and-again",{time}}}' for time in times):
        for _ in range(2):
            assert app.post("/v1/track", body, headers=WEB).status_code == 200

    assert len(ids()) == 4
    assert len(set(ids())) == 2  # other bytes are another event


def test_a_rejected_event_keeps_its_place_in_the_order_of_its_request(
    app: AppReceiver,
) -> None:
    good = '{"type":"track","messageId":"in-order"}'

    app.post("/v1/batch", f'{{"batch":[{good},"out-of-order",{good}]}}')

    (between,) = app.rejected(b'"out-of-order"')
    around = [line["received_at"] for line in app.landed("in-order")]
    assert min(around) < between["received_at"] < max(around)
