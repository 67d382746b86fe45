"""Events that are checked together are what each is alone."""

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from receiver.events.check import Event, EventCheck, Limits, read_events
from receiver.events.direct import DirectSender
from receiver.events.made_up_ids import OfRequest
from receiver.events.shared_fields import NOTHING_SHARED, SharedFields

LIMITS = Limits(event_bytes=2000, depth=20)
SHARED = SharedFields({"sentAt": b'"2026-11-22T05:24:46.456Z"', "context": b'{"locale":"de"}'})

SOUND = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify"])},
    optional={
        "messageId": st.text(max_size=5),
        "sentAt": st.text(max_size=5),
        "writeKey": st.just("key"),
        "context": st.dictionaries(st.sampled_from(["ip", "locale", "channel"]), st.text()),
        "integrations": st.dictionaries(st.sampled_from(["All", "Segment"]), st.booleans()),
        "properties": st.dictionaries(st.text(), st.none() | st.floats(allow_nan=False)),
    },
)
WRITTEN = SOUND.flatmap(
    lambda event: st.sampled_from(
        [
            json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(
                errors="surrogatepass"
            ),
            json.dumps(event, separators=(",", ":")).encode(),
            json.dumps(event).encode(),
        ]
    )
)
UNSOUND = st.sampled_from(
    [
        b'{"type":"track","type":"page"}',
        b'{"type":"track","p":{"a":1,"a":2}}',
        b'{"type":"track","p":"\\ud83d"}',
        b'{"type":"track","p":"\xff"}',
        b'{"type":"track","p":1e999}',
        b'{"type":"track","p":01}',
        b'{"type":"track","p":' + b"[" * 20 + b"]" * 20 + b"}",
        b'{"type":"track","p":"%b"}' % (b"x" * 2000),
        b'{"type":"nonsense"}',
        b'{"type":"track", "p":1}',
        b'{"t\\u0079pe":"track"}',
        b"{}",
        b"[]",
        b"null",
        b'{"type":"track"},{"type":"page"}',
        b"",
    ]
)


def check(shared: SharedFields) -> EventCheck:
    ids = OfRequest("web", "192.0.2.1", 0.0)
    return EventCheck(shared, "page", LIMITS, DirectSender("Segment", "192.0.2.1"), None, ids)


@given(st.lists(WRITTEN | UNSOUND, max_size=6), st.sampled_from([NOTHING_SHARED, SHARED]))
def test_together_or_alone_they_become_the_same(items: list[bytes], shared: SharedFields) -> None:
    alone = check(shared)
    together = check(shared).some([Raw(item) for item in items])

    assert [one for some in together for one in some] == [alone.one(item) for item in items]


@given(st.lists(WRITTEN, min_size=2, max_size=6))
def test_together_they_land_as_they_came(items: list[bytes]) -> None:
    found = EventCheck(NOTHING_SHARED, None, LIMITS).some([Raw(item) for item in items])

    assert all(
        one.payload == item
        for one, item in zip((one for some in found for one in some), items, strict=True)
        if isinstance(one, Event) and b"\\ud" not in item
    )


def test_sound_events_without_gaps_are_read_together() -> None:
    items = [b'{"type":"track","messageId":"%d","p":{"a":1.5}}' % number for number in range(5)]

    (records,) = EventCheck(NOTHING_SHARED, None, LIMITS).some([Raw(item) for item in items])

    assert [one.message_id for one in records if isinstance(one, Event)] == list("01234")
    assert read_events([*items, b'{"type":"track","type":"page"}'], LIMITS) is None
