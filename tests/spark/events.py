"""What is odd in events, in loads one after the other, for two engines that are to agree on it."""

import json
from dataclasses import dataclass
from typing import Any

from tests.models.test_letters_of_any_script import MEETING, PLAIN
from tests.models.test_lists_with_holes import EVENTS as WITH_HOLES
from tests.models.test_times import NO_TIMES, READ
from tests.support import landed
from tests.support.house import TABLES
from tests.support.real_events import EVENTS, RECEIVED_AT

NUMBERS = [
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "1.10",
    "-2.5",
    "1e5",
    "1E5",
    "1e-4",
    "1e-5",
    "1.5e-5",
    "1e-7",
    "-1e-7",
    "0.1e-9",
    "1e15",
    "1e16",
    "1e17",
    "1.5e16",
    "1e21",
    "1e22",
    "123456789.123456789",
    "12345678901234567.0",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "36893488147419103232",
    "123456789012345678901234567890",
    "1e300",
    "1.7976931348623157e308",
    "5e-324",
    "1e-400",
    "4.9e-5",
    "5.684341886080802e-14",
    "2.2250738585072014e-308",
    "0.30000000000000004",
    "100000000000000000000000.5",
]
"""Numbers as a sender may write them."""

LONG_NUMBERS = [
    *(2**126, 2**126 + 2**73, 2**126 + 2**74, 10**38, 10**38 + 1, 3 * 2**125, 3 * 2**125 + 2**72),
    *(-3 * 2**125, 2**127 - 2**74, 2**127 - 1, 2**127, -(2**127)),
]
"""Whole numbers about as long as any engine has them; some a double holds."""

TEXTS = [
    "", " ", "plain", "s", "n1", '"', '\\"', "\\", '\\\\"n5"', '"s', '"n1",', "[1]", '{"a":1}',
    "null", "true", "1", "1.5", " 1.5 ", "1_000", "1d", "0x10", "NaN", "inf", "+5", "-.5", "5.",
    "1e5", "yes", "No", "T", "0",
    "\n\t\r\b\f", "\u0001\u001f\u007f", "\u0085\u2028\u2029", "é", "😀",
    "\0", "a\0b", "\\u0000", "\ufffd", "x" * 40_000, "'; drop table track; --", "{{ 1 / 0 }}", "$1",
    "\u200b", "\u3000", "\\ud83d\\ude00 😀",
]  # fmt: skip

VALUES = ["x", 1, 1.5, True, None, [1, "a"], {"k": 1}, {"2025": 1, "2026": 2}, 2**70, [], {}]
"""A value of each type, for fields that come in all of them."""


READ_BY_SPARK = {"${env:HOME}": 1, "${system:line.separator}": "x", "${spark.app.name}": True}
"""Keys in the place of which Spark puts something else, in a query that has them."""

WIDE = 400
"""Keys of one element, of which Spark's view has those that fit into its text."""

ERASED = "gone-55aa"
"""A user who is erased later."""


@dataclass
class Load:
    """Lines of each call."""

    lines: dict[str, list[bytes]]


def event(call: str, message_id: str, **members: Any) -> dict[str, Any]:
    """An event with what all have."""
    return {"type": call, "messageId": message_id, "userId": "u", "event": "E"} | members


def _odd_values() -> list[bytes]:
    lines = []
    for place, number in enumerate(NUMBERS):
        text = json.dumps(event("track", f"number-{place}"))[:-1]
        more = (
            f',"version":{number},"context":{{"screen":{{"width":{number}}},"ip":{number},'
            f'"metrics":{number}}},"properties":{{"number":{number},"whole_{place}":{number},'
            f'"as_text":{number},"mixed":{number},"list":[{number},{{"n":{number}}}]}}}}'
        )
        lines.append(landed.line(text + more, message_id=f"number-{place}"))
    for place, long in enumerate(LONG_NUMBERS):
        more = {"version": long, "context": {"screen": {"width": long}, "ip": long}}
        more["properties"] = {"mixed": long, "number": long, "list": [long, {"n": long}]}
        lines.append(landed.line(event("track", f"long-{place}", **more)))
    for place, text in enumerate(TEXTS):
        properties = {
            "text": text, "mixed": text, "list": [text, {"n": text}], f"text_{place}": text,
            "deep": {text[:20]: {text[:20]: place}}, "flag": text,
        }  # fmt: skip
        context = {
            "ip": text, "screen": {"width": text}, "active": text, "metrics": text,
            "externalIds": [{"id": text}], "groupId": text,
        }  # fmt: skip
        sent = event("track", f"text-{place}", properties=properties, context=context)
        lines.append(landed.line(sent | {"anonymousId": text, "event": text, "version": text}))
    for place, value in enumerate(VALUES):
        properties = {"any": value, "deep": {"any": value}, "list": [value, [value], {"n": value}]}
        context = {"ip": value, "active": value, "metrics": value, "screen": {"width": value}}
        sent = event("track", f"value-{place}", properties=properties, context=context)
        more = {"integrations": value, "version": value, "anonymousId": value, "channel": value}
        lines.append(landed.line(sent | more))
    return lines


def _odd_names() -> list[bytes]:
    """Keys and names of arrays that mean something to Spark, or that it does not have."""
    of_ours = {
        "seamline_received_date": "text",
        "seamlineReceivedDate": 1,
        "_seamline_received_date": "2026-11-01",
        "new": [{"a": 1}],
    }
    wide = {f"key_{number}": number for number in range(WIDE)} | {"zz_last": [{"a": 1}]}
    arrays = {
        "größe": [{"größe": 1, "in": [{"s": 1, "\N{LATIN SMALL LETTER LONG S}": 2}]}],
        "产品": [{"价格": 1.5}],
        "taken": [{"in": [{"a": 1}]}],
        "viewed": [{"a": 1}],
        "wide": [wide],
    }
    read = event("screen", "read-by-spark", **READ_BY_SPARK)
    read["properties"] = READ_BY_SPARK | {"list": [READ_BY_SPARK]}
    return [
        landed.line(read),
        landed.line(event("screen", "of-ours", **of_ours)),
        landed.line(event("screen", "arrays", properties=arrays), source="other"),
        landed.line(event("screen", "beside", properties={"beside": [{"sku": "a"}]})),
    ]


def _erased() -> dict[str, list[bytes]]:
    group = event("group", "erased", userId=ERASED, traits={ERASED: 1, "who": ERASED})
    track = event("track", "erased", userId=ERASED, properties={"list": [ERASED]})
    at = "2026-11-16T10:00:00.000000Z"
    return {sent["type"]: [landed.line(sent, received_at=at)] for sent in (group, track)}


def _odd_times() -> list[bytes]:
    lines = []
    for place, text in enumerate([*READ, *NO_TIMES]):
        lines += [
            landed.line(event("page", f"time-{place}", timestamp=text)),
            landed.line(event("page", f"sent-{place}", timestamp=text), sent_at=text),
            landed.line(
                event(
                    "page", f"through-{place}", timestamp=text, receivedAt=text,
                    originalTimestamp="2026-11-20T10:00:00Z",
                ),
                sent_at="2026-11-20T10:00:01Z",
            ),
        ]  # fmt: skip
    return lines


def first() -> Load:
    """Events as real senders send them, and odd ones."""
    lines: dict[str, list[bytes]] = {call: [] for call in TABLES}
    for sent, _ in EVENTS:
        lines[sent["type"]].append(landed.line(sent, received_at=RECEIVED_AT))
    lines["track"] += _odd_values()
    lines["page"] += _odd_times()
    scripts = {key: f"v{place}" for place, key in enumerate([*PLAIN, *MEETING])}
    lines["identify"].append(landed.line(event("identify", "scripts", traits=scripts)))
    # the letters that are one to Java's eyes and to nobody else's; one key that leads to another
    alike = {
        "k": 1,
        "\N{KELVIN SIGN}": 2,
        "K": 3,
        "\N{LATIN SMALL LETTER LONG S}": 4,
        "s": 5,
        "": 6,
        "a": {"": 7},
        "a.b": 8,
    }
    lines["group"].append(landed.line(event("group", "alike", traits=alike)))
    lines["group"].append(landed.line(event("group", "alike-2", traits={"a": {"b": {"c": 1}}})))
    lines["group"].append(landed.line(event("group", "alike-3", traits={"a": {"b": 2}})))
    for place, properties in enumerate(WITH_HOLES[:2]):
        sent = event("screen", f"holes-{place}", properties=properties)
        lines["screen"].append(landed.line(sent))
    lines["screen"] += _odd_names()
    for call, sent_by_erased in _erased().items():
        lines[call] += sent_by_erased
    lines["alias"].append(landed.line(event("alias", "alias", previousId="\u200b")))
    lines["track"] += [copied("moves", day=21, note="later"), copied("stays", day=16, note="first")]
    lines["track"] += [
        copied("by-key", day=20, note="public", credential="browser"),
        copied("alone", day=18, note="only one of its day"),
        copied("no-sequence", day=21, note="without", credential="server"),
        copied("no-sequence", day=22, note="with"),
    ]
    return Load(lines)


def second() -> Load:
    """Copies of messages that are there, new fields, and types that fields did not have."""
    lines: dict[str, list[bytes]] = {call: [] for call in TABLES}
    lines["track"] = [
        copied("moves", day=19, note="earlier, of another day"),
        copied("stays", day=22, note="later"),
        copied("by-key", day=23, note="secret", credential="server"),
        copied("alone", day=17, note="of the day before: its day has no row any more"),
        copied("new", day=23, note="new"),
        copied("new", day=22, note="new, and the first"),
        landed.line(
            event("track", "more", properties={"new": [{"deep": [1.5]}], "number": "text now"}),
            received_at="2026-11-23T10:00:00.000000Z",
        ),
    ]
    for place, properties in enumerate(WITH_HOLES[2:]):
        sent = event("screen", f"holes-more-{place}", properties=properties)
        lines["screen"].append(landed.line(sent, received_at="2026-11-23T11:00:00.000000Z"))
    return Load(lines)


def copied(message_id: str, *, day: int, note: str, credential: str | None = None) -> bytes:
    """A copy of a message that was received on a day of November."""
    return landed.line(
        event("track", message_id, channel=note),
        received_at=f"2026-11-{day}T10:00:00.000000Z",
        source=f"source-{credential}",
        credential=credential,
    )
