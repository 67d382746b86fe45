"""JSON as text: cut, measured and merged by bytes, checked against a parser."""

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.events import json_text
from receiver.events.check import Event, Limits, check_event
from receiver.events.json_text import JsonObject, deeper_than, elements, members
from receiver.events.shared_fields import NOTHING_SHARED, SharedFields

KEYS = st.text(max_size=5) | st.sampled_from(["context", "integrations", "sentAt", '"', "\\", "é"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=6)
STYLES = st.sampled_from(
    [
        {"separators": (",", ":"), "ensure_ascii": False},
        {},
        {"indent": 1},
        {"separators": (" ,\r\n", "\t: ")},
    ]
)
LIMITS = Limits(event_bytes=1 << 20, depth=128)


def dump(value: Any, style: dict[str, Any]) -> bytes:
    return json.dumps(value, **style).encode(errors="surrogatepass")


def is_valid(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


def merged_into(item: bytes, event: dict[str, Any], shared: SharedFields) -> bytes:
    """Return an event's bytes with what its batch shares in them."""
    written = JsonObject(item)
    return written.changed(shared.changes_to(event, written.values))


@given(st.lists(VALUES), STYLES)
def test_an_array_is_cut_into_its_elements(values: list[Any], style: dict[str, Any]) -> None:
    cut = elements(dump(values, style))

    assert cut is not None
    assert [json.loads(one) for one in cut] == values


@given(OBJECTS, STYLES)
def test_members_are_found_where_they_stand(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = dump(value, style)
    found = members(text) if is_valid(text) else []

    assert found is not None
    if is_valid(text):
        assert {key: json.loads(text[start:end]) for key, start, end in found} == value


@given(st.binary() | VALUES.map(lambda value: dump(value, {})))
def test_no_bytes_break_the_scanner(text: bytes) -> None:
    for scan in (elements, members):
        scan(text)
        scan(b"[" + text)
        scan(b"{" + text + b"}")


def without_strings(text: bytes) -> bytes:
    """Return a text of the same length in which no byte stands in a string, found one by one."""
    plain = bytearray(text)
    is_string = is_escaped = False
    for at, byte in enumerate(text):
        if is_string or byte == ord('"'):
            plain[at] = ord("x")
            is_string = not is_string if byte == ord('"') and not is_escaped else is_string
        is_escaped = is_string and byte == ord("\\") and not is_escaped
    return bytes(plain)


@given(
    st.text('[]{},"\\x ', max_size=30).map(str.encode),
    st.integers(0, 3).map(lambda number: b"\\" * number),
    st.integers(1, 4),
)
def test_what_stands_in_a_string_parts_nothing_wherever_the_text_ends(
    text: bytes, tail: bytes, most: int
) -> None:
    text = b"[" + text + tail
    cut, plainly_cut = elements(text, most), elements(without_strings(text), most)

    assert (cut and list(map(len, cut))) == (plainly_cut and list(map(len, plainly_cut)))
    assert deeper_than(text, most) == deeper_than(without_strings(text), most)


def test_a_string_without_an_end_is_looked_at_once() -> None:
    """Each quote in it was taken for the beginning of one: 20 kB took a second, 80 kB sixteen."""

    def seconds(text: bytes) -> float:
        started = time.process_time()
        elements(text)
        members(b"{" + text)
        deeper_than(text, 4)
        return time.process_time() - started

    text = b"[[[[[" + b'"' + b'\\"' * 10_000
    usual = min(seconds(text) for _ in range(5))

    assert min(seconds(text + b"\\") for _ in range(2)) < 20 * usual


@given(VALUES, STYLES)
def test_depth_is_counted_outside_strings(value: Any, style: dict[str, Any]) -> None:
    text = dump(value, style)

    assert not deeper_than(text, depth_of(value))
    assert depth_of(value) == 0 or deeper_than(text, depth_of(value) - 1)


@given(OBJECTS, STYLES)
def test_a_key_that_stands_twice_is_noticed(value: dict[str, Any], style: dict[str, Any]) -> None:
    text = dump(value, style)
    if not is_valid(text):
        return
    assert not JsonObject(text).repeats_a_key
    for key, other in value.items():
        member = dump({key: other}, style)[1:-1]
        twice = text[:-1] + b"," + member + b"}"
        assert JsonObject(twice).repeats_a_key


def test_what_stands_in_the_values_of_a_valid_object_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at: list[bytes] = []
    monkeypatch.setattr(json_text, "members", looked_at.append)
    text = b'{ "a":[%b] ,\n"\\u0062" : 12 }' % b",".join([b"[]"] * 1000)
    once = JsonObject(text)

    assert not once.repeats_a_key
    assert [(key, text[start:end]) for key, start, end in once.places()] == [
        ("a", bytes(once.values["a"])),
        ("b", b"12"),
    ]
    for other in (b"1", b"12", b"[]"):
        assert JsonObject(b'%b,"b":%b}' % (text[:-1], other)).repeats_a_key
    assert looked_at == []


@given(OBJECTS, OBJECTS, STYLES)
def test_merging_adds_what_is_missing_and_changes_nothing(
    event: dict[str, Any], batch: dict[str, Any], style: dict[str, Any]
) -> None:
    item = dump(event, style)
    shared = {k: dump(v, style) for k, v in batch.items() if k in SHARED_NAMES}
    if not (is_valid(item) and all(map(is_valid, shared.values()))):
        return
    merged = merged_into(item, event, SharedFields(shared))

    expected = {k: batch[k] for k in shared} | event
    for name in shared:
        if isinstance(batch[name], dict) and isinstance(event.get(name), dict):
            expected[name] = batch[name] | event[name]
    assert json.loads(merged) == expected
    assert list(json.loads(merged))[: len(event)] == list(event)
    if expected == event:
        assert merged == item


SHARED_NAMES = {"context", "integrations", "sentAt"}


@given(OBJECTS, STYLES)
def test_an_event_is_landed_as_it_came(event: dict[str, Any], style: dict[str, Any]) -> None:
    item = dump(event | {"type": "track"}, style)
    checked = check_event(item, NOTHING_SHARED, None, LIMITS)

    if isinstance(checked, Event):
        assert checked.payload == item
    else:
        assert not is_valid(item)
