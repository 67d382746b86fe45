"""What is put into an event or cut out of it changes no other byte, checked against a parser."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from receiver.events.check import Event, Limits, NotStored, Rejected, check_event
from receiver.events.direct import DirectSender
from receiver.events.json_text import JsonObject
from receiver.events.shared_fields import SharedFields
from tests.receiver.events.test_json_text import (
    OBJECTS,
    STYLES,
    VALUES,
    dump,
    is_valid,
    merged_into,
)

LIMITS = Limits(event_bytes=1 << 20, depth=128)
SENDER = DirectSender("Segment", "203.0.113.7")
CONTEXTS = VALUES | st.fixed_dictionaries(
    {}, optional={"direct": VALUES, "ip": VALUES, "library": VALUES, "channel": VALUES}
)
EVENTS = st.fixed_dictionaries(
    {"type": st.just("track")},
    optional={
        "writeKey": VALUES,
        "channel": st.sampled_from(["browser", "server"]) | VALUES,
        "context": CONTEXTS,
        "integrations": VALUES | st.dictionaries(st.sampled_from(["All", "Segment"]), VALUES),
    },
)


@given(OBJECTS, STYLES)
def test_places_are_where_values_stand(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = dump(value, style)
    if is_valid(text):
        found = JsonObject(text).places()
        assert {key: json.loads(text[start:end]) for key, start, end in found} == value


@given(OBJECTS, STYLES, st.data())
def test_a_member_that_is_cut_out_leaves_the_others(
    value: dict[str, Any], style: dict[str, Any], data: st.DataObject
) -> None:
    text = dump(value, style)
    if not value or not is_valid(text):
        return
    key = data.draw(st.sampled_from(sorted(value)))

    cut = JsonObject(text).changed({key: None})

    assert json.loads(cut) == {k: v for k, v in value.items() if k != key}
    assert list(json.loads(cut)) == [k for k in value if k != key]
    head = next(at for at in range(len(cut) + 1) if cut[:at] != text[:at] or at == len(cut))
    assert text.endswith(cut[head:])  # what is behind it is what stood behind it


@given(OBJECTS, OBJECTS, STYLES, st.data())
def test_what_is_changed_is_changed_alone(
    value: dict[str, Any], others: dict[str, Any], style: dict[str, Any], data: st.DataObject
) -> None:
    text = dump(value, style)
    new = {key: dump(other, style) for key, other in others.items()}
    if not is_valid(text) or not all(map(is_valid, [*new.values(), dump(others, style)])):
        return
    left_out = data.draw(st.sets(st.sampled_from(sorted(value)))) if value else set()
    changes = new | dict.fromkeys(left_out)

    changed = JsonObject(text).changed(changes)

    kept = {key: others.get(key, value[key]) for key in value if key not in left_out}
    added = {key: other for key, other in others.items() if key not in value}
    assert list(json.loads(changed).items()) == list((kept | added).items())


@given(EVENTS, OBJECTS, STYLES)
def test_an_event_of_an_sdk_is_completed_and_no_more(
    event: dict[str, Any], batch: dict[str, Any], style: dict[str, Any]
) -> None:
    item = dump(event, style)
    shared = {k: dump(v, style) for k, v in batch.items() if k in ("context", "integrations")}
    if not (is_valid(item) and all(map(is_valid, shared.values()))):
        return
    merged = SharedFields(shared)

    checked = check_event(item, merged, None, LIMITS, SENDER)

    assert not isinstance(checked, Rejected)
    if checked is NotStored.SHUT_OUT:
        assert isinstance(json.loads(merged_into(item, event, merged))["integrations"], dict)
        return
    assert isinstance(checked, Event)
    before = json.loads(merged_into(item, event, merged))
    before.pop("writeKey", None)
    after = json.loads(checked.payload)
    if after != before:  # then the address came in, and nothing else
        assert after["context"].pop("ip") == "203.0.113.7"
        if not after["context"] and "context" not in before:
            del after["context"]
    assert after == before
