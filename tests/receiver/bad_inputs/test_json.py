"""Bad inputs: bodies that are not quite JSON, or JSON that readers disagree about."""

import tracemalloc
from collections.abc import Callable

import pytest

from receiver.events.json_text import deeper_than
from tests.support.receiver.attack import Case, Line, each, event, lands, must_come_of, rejected
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import WEB


def value(text: bytes) -> bytes:
    """Return an event with a value in it."""
    return event(b'"value":' + text)


def nested(levels: int, opening: bytes, middle: bytes, closing: bytes) -> bytes:
    """Return an event that is so many levels deep."""
    return value(opening * (levels - 1) + middle + closing * (levels - 1))


def text_of(number: str, what: str, text: str, encoding: str, reason: str) -> Case:
    """An event in an encoding other than UTF-8."""
    body = text.replace("%ID%", "an-id").encode(encoding)
    return rejected(number, what, body, reason)


BATCH = {"path": "/v1/batch", "headers": WEB}
EVENT = event().decode()
NEIGHBOURS = (Line("track", event()), Line("track", event(b'"n":2')))


def between(number: str, what: str, bad: bytes, reason: str) -> Case:
    """An array with a bad event between two good ones."""
    body = b"[" + event() + b"," + bad + b"," + event(b'"n":2') + b"]"
    lines = (*NEIGHBOURS, Line("rejected", bad, reason))
    return Case(number, f"{what}, between two good events", 200, lines, body)


def halved(what: str, halves: bytes, kept: bytes) -> Case:
    """An event with half a character, which lands with U+FFFD in its place."""
    return Case("B41", what, 200, (Line("track", kept),), halves)


SYNTAX = [
    *(rejected("B33", f"a body `{text}`", text.encode(), "not_object")
      for text in ("null", "true", "1", '"x"')),
    Case("B34", "an empty array", 200, (), b"[]"),
    Case("B34", "an empty array with white space", 200, (), b" [ \n ] "),
    Case("B34", "an empty batch", 200, (), b'{"batch":[]}', **BATCH),
    rejected("B34", "an array where a batch is asked for", b"[]", "not_object", **BATCH),
    rejected("B35", "an empty object", b"{}", "no_type"),
    lands("B35", "an empty object, where the path names the call", b"{}", "track",
          path="/v1/track", headers=WEB),
    rejected("B36", "an event that is cut short", event()[:-1], "bad_json"),
    rejected("B36", "an array that is cut short", b"[" + event(), "bad_json"),
    rejected("B36", "a batch that is cut short", b'{"batch":[' + event(), "bad_json", **BATCH),
    rejected("B36", "a string without an end", b'{"type":"track","messageId":"%ID%', "bad_json"),
    rejected("B37", "something behind the event", event() + b"x", "bad_json"),
    rejected("B37", "two events", event() + event(), "bad_json"),
    rejected("B37", "NDJSON, which is not supported", event() + b"\n" + event(), "bad_json"),
    rejected("B37", "something behind an array", b"[" + event() + b"]]", "bad_json"),
    rejected("B38", "a byte order mark", b"\xef\xbb\xbf" + event(), "bad_json"),
    rejected("B38", "a byte order mark before a batch", b'\xef\xbb\xbf{"batch":[]}', "bad_json",
             **BATCH),
    text_of("B39", "UTF-16 with a mark", EVENT, "utf-16", "not_utf8"),
    text_of("B39", "UTF-16 without a mark", EVENT, "utf-16-be", "bad_json"),
    text_of("B39", "UTF-32", EVENT, "utf-32", "not_utf8"),
    text_of("B39", "Latin-1", EVENT.replace("track", "träck"), "latin-1", "not_utf8"),
    *(rejected("B40", f"{what} in a string", value(b'"' + bad + b'"'), "not_utf8") for what, bad in
      {"a byte that is no UTF-8": b"\xff", "an overlong character": b"\xc0\xaf",
       "half a surrogate as UTF-8": b"\xed\xa0\x80", "a character beyond Unicode":
       b"\xf4\x90\x80\x80", "a character that is cut": b"\xe2\x82"}.items()),
    rejected("B40", "a byte that is no UTF-8 in a key", event(b'"\xff":1'), "not_utf8"),
    between("B40", "a byte that is no UTF-8", value(b'"\xff"'), "not_utf8"),
    *(halved(what, sent.replace(b"%HALF%", half), sent.replace(b"%HALF%", b"\\ufffd" * number))
      for half, number in ((b"\\ud83d", 1), (b"\\uDE00", 1), (b"\\ude00\\ud83d", 2))
      for what, sent in (
          (f"`{half.decode()}`, half an emoji", value(b'"caf%HALF% \\\\ud83d \\ud83d\\ude00"')),
          (f"`{half.decode()}` in a key", event(b'"%HALF%":1')),
          (f"`{half.decode()}` in a key far below", value(b'[{"%HALF%":1}]')))),
    halved("half an emoji in `userId`", event(b'"userId":"\\ud83du"'),
           event(b'"userId":"\\ufffdu"')),
    rejected("B41", "two keys that are one without their halves",
             event(b'"\\ud83d":1,"\\ud83c":2'), "duplicate_key"),
    rejected("B41", "half an emoji in `messageId`", b'{"type":"track","messageId":"%ID%\\ud83d"}',
             "bad_message_id"),
    rejected("B41", "half an emoji, and a brace too many", value(b'"\\ud83d"') + b"}", "bad_json"),
    Case("B41", "half an emoji, between two good events", 200,
         (*NEIGHBOURS, Line("track", value(b'"\\ufffd"'))),
         b"[" + event() + b"," + value(b'"\\ud83d"') + b"," + event(b'"n":2') + b"]"),
    Case("B41", "half an emoji in what a batch says of its events", 200,
         (Line("track", event(b'"context":{"page":{"title":"\\ufffd"}}')),),
         b'{"context":{"page":{"title":"\\ud83d"}},"batch":[' + event() + b"]}", **BATCH),
    lands("B42", "`\\u0000` in a value", value(b'"a\\u0000b"')),
    lands("B42", "`\\u0000` in a key", event(b'"a\\u0000b":1')),
    lands("B42", "`\\u0000` in `userId`", event(b'"userId":"a\\u0000b"')),
    lands("B42", "`\\u0000` in `messageId`", b'{"type":"track","messageId":"%ID%\\u0000b"}'),
    rejected("B43", "a NUL byte in a string", value(b'"a\0b"'), "bad_json"),
    rejected("B43", "a NUL byte behind the event", event() + b"\0", "bad_json"),
    rejected("B43", "a control character in a string", value(b'"a\x1fb"'), "bad_json"),
    rejected("B43", "a line break in a string", value(b'"a\nb"'), "bad_json"),
    *(rejected("B44", f"`{text}`", value(text.encode()), "bad_json")
      for text in ("NaN", "Infinity", "-Infinity", "nan", "inf")),
    *(rejected("B45", f"`{text}`", value(text.encode()), "bad_json")
      for text in ("[1,]", '{"a":1,}', "[,1]", "[1,,2]", "1/**/", "1//\n", "'x'", "{a:1}", "0x1",
                   "01", ".5", "5.", "+1", "1e", "True", "undefined", '"\\x41"', '"\\a"')),
    rejected("B45", "a comma behind the last member", event()[:-1] + b",}", "bad_json"),
    Case("B45", "a comma behind the last event", 200, (Line("track", event()),),
         b"[" + event() + b",]"),
    between("B45", "a comma behind the last member", event()[:-1] + b",}", "bad_json"),
]  # fmt: skip

NUMBERS = [
    *(lands("B46", f"the number {number}", value(str(number).encode())) for number in
      (2**53 + 1, 2**63, 2**64, -(2**63) - 1, 10**18 + 1, 10**19 + 1, 10**22 + 1)),
    lands("B47", "an integer of 4,300 digits", value(b"9" * 4300)),
    rejected("B47", "an integer of 5,000 digits", value(b"9" * 5000), "bad_json"),
    rejected("B47", "an integer of 1,000,000 digits", value(b"9" * 1_000_000), "bad_json"),
    between("B47", "an integer of 5,000 digits", value(b"9" * 5000), "bad_json"),
    lands("B47", "a `sentAt` of 4,000 digits", event(b'"sentAt":' + b"9" * 4000)),
    *(rejected("B48", f"the number `{text}`", value(text.encode()), "bad_json")
      for text in ("1e400", "-1e400", "1E400", "1e309", "1.8e308")),
    lands("B48", "the number `1e-400`", value(b"1e-400")),
    lands("B48", "the number `0e999999999999`", value(b"0e999999999999")),
    lands("B49", "a number of 34 digits", value(b"0.1000000000000000055511151231257827")),
    lands("B49", "`10.0`, `1E2`, `-0` and `-0.0`", value(b"[10.0,1E2,-0,-0.0,1.10]")),
]  # fmt: skip

KEYS = [
    rejected("B50", "two `messageId`s", event(b'"messageId":"B"'), "duplicate_key"),
    rejected("B50", "two `messageId`s, one of them with an escape", event(b'"message\\u0049d":"B"'),
             "duplicate_key"),
    rejected("B50", "two equal `messageId`s", event(b'"messageId":"%ID%"'), "duplicate_key"),
    rejected("B50", "two `messageId`s, with white space", b'{ "messageId" : "A" , "type" : "track" '
             b', "messageId" : "%ID%" }', "duplicate_key"),
    between("B50", "two `messageId`s", event(b'"messageId":"B"'), "duplicate_key"),
    rejected("B51", "two `type`s", event(b'"type":"identify"'), "duplicate_key"),
    rejected("B51", "two `batch`es", b'{"batch":[],"batch":[' + event() + b"]}", "duplicate_key",
             **BATCH),
    rejected("B51", "two `properties`", event(b'"properties":{},"properties":{"a":1}'),
             "duplicate_key"),
    lands("B52", "a key that stands twice in `properties`: both stay",
          event(b'"properties":{"a":1,"a":2}')),
    lands("B53", "`userId`, `userid` and `USERID`",
          event(b'"userId":"a","userid":"b","USERID":"c"')),
]  # fmt: skip

DEPTH = [
    lands("B54", "128 levels of objects", nested(128, b'{"a":', b"1", b"}")),
    lands("B54", "128 levels of arrays", nested(128, b"[", b"", b"]")),
    *(rejected("B55", f"{levels:,} levels of {what}", nested(levels, *parts), "too_deep")
      for levels in (129, 1100, 20_000, 150_000)
      for what, parts in {"objects": (b'{"a":', b"1", b"}"), "arrays": (b"[", b"", b"]")}.items()),
    rejected("B55", "200,000 brackets that never close", b"[" * 200_000, "too_deep"),
    rejected("B55", "100,000 objects that never close", b'{"a":' * 100_000, "too_deep"),
    Case("B55", "an array 200,000 levels deep", 200,
         (Line("rejected", b"[" * 199_999 + b"]" * 199_999, "too_deep"),),
         b"[" * 200_000 + b"]" * 200_000),
    Case("B55", "a batch 200,000 levels deep", 200,
         (Line("rejected", b"[" * 200_000 + b"]" * 200_000, "too_deep"),),
         b'{"batch":[' + b"[" * 200_000 + b"]" * 200_000 + b"]}", **BATCH),
    between("B55", "20,000 levels", nested(20_000, b"[", b"", b"]"), "too_deep"),
]  # fmt: skip

CASES = [*SYNTAX, *NUMBERS, *KEYS, *DEPTH]


@each(CASES)
def test_only_json_that_all_read_alike_lands_as_an_event(case: Case, receiver: Landing) -> None:
    must_come_of(case, receiver)


@pytest.mark.parametrize("levels", [129, 200_000])
def test_depth_is_found_before_anything_is_built(levels: int) -> None:
    text = nested(levels, b'{"a":', b"1", b"}")

    # The receiver's other threads may take some at the same moment, and not each time.
    assert min(bytes_taken(lambda: deeper_than(text, 128)) for _ in range(10)) < 10_000


def bytes_taken(work: Callable[[], bool]) -> int:
    """Return the most that this process takes while something is done, which has to be true."""
    tracemalloc.start()
    try:
        assert work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
