"""What has to hold for any bytes whatever. Each function takes bytes, and raises if it does not.

Only the receiver's own errors may come out of its functions; anything else is a bug.
"""

import base64
import gzip
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from landed.ids import landed_message_id
from landed.packed import gunzip
from receiver.errors import RequestRefusedError
from receiver.events.batches import Batch, first_element, read_array, read_batch, read_fields
from receiver.events.check import Event, Limits, NotStored, check_event
from receiver.events.json_text import WHITESPACE, deeper_than, elements, members
from receiver.events.shared_fields import NAMES, NOTHING_SHARED, SharedFields
from receiver.files.envelope import good_line, is_whole, rejected_line
from receiver.senders.auth import (
    credential_of_body,
    credential_of_header,
    is_signed,
    may_be_signed,
)
from receiver.senders.masking import Mask
from receiver.senders.scopes import Endpoint, Kind
from receiver.senders.sources import Credential, Source, Sources

LIMITS = Limits(event_bytes=1 << 16, depth=128)
STAMP = "2026-11-22T05:24:46.123456Z"
SECRET = "secret"  # noqa: S105 - made up for this
SOURCE = Source("web", write_keys=("web",), shared_secrets=(SECRET,))
SOURCES = Sources([SOURCE])
CREDENTIAL = Credential(SOURCE, Kind.OLD)
KEY = b"k-0123456789abcdef"
HIDE = Mask([KEY.decode()])
REASONS = {
    "bad_json", "bad_message_id", "delete_not_allowed", "duplicate_key", "no_batch", "no_type",
    "not_object", "not_utf8", "too_big", "too_deep", "too_many_keys", "unknown_type",
}  # fmt: skip

_decode_elements = msgspec.json.Decoder(list[Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_HALF = re.compile("[\ud800-\udfff]")
_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_exactly(text: bytes) -> Any:
    """Read JSON as Python does, numbers as they are written, U+FFFD for half a character."""
    loaded = json.loads(text.decode(), parse_int=str, parse_float=str, object_pairs_hook=tuple)
    return _without_halves(loaded)


def _without_halves(value: Any) -> Any:
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, tuple):  # an object's members
        return {_without_halves(key): _without_halves(member) for key, member in value}
    return [_without_halves(one) for one in value] if isinstance(value, list) else value


def an_event(data: bytes) -> None:
    """An event is landed as it came, under the id that everybody reads in it, or with a reason."""
    item = data.strip(WHITESPACE)
    checked = check_event(item, NOTHING_SHARED, None, LIMITS)
    assert not isinstance(checked, NotStored), "nobody is suppressed, nor are we shut out"
    if not isinstance(checked, Event):
        assert checked.body == item
        assert checked.reason in REASONS
        return
    _must_be_as_it_came(checked, item)
    _must_be_one_identity(checked, item)
    _must_be_read_back(checked)


def _must_be_as_it_came(checked: Event, item: bytes) -> None:
    if checked.payload != item:
        assert _ESCAPED_HALF.search(item)
        assert not _HALF.search(json.dumps(json.loads(checked.payload), ensure_ascii=False))
        assert len(checked.payload) == len(item)
    assert read_exactly(checked.payload) == read_exactly(item)


def _must_be_one_identity(checked: Event, item: bytes) -> None:
    value = read_exactly(item)
    assert value.get("type") == checked.call
    hashed = "sha256-" + hashlib.sha256(item).hexdigest()
    given = value.get("messageId")
    assert checked.message_id == (landed_message_id(given) if given else hashed)
    names = [name for name, _ in _top_members(item)]
    assert len(names) == len(set(names))


def _top_members(item: bytes) -> list[tuple[str, Any]]:
    """Return an object's members as Python reads them, those that stand twice twice."""
    found: list[tuple[str, Any]] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found[:] = pairs  # the outermost object is the last to be closed
        return dict(pairs)

    json.loads(item, parse_int=str, parse_float=str, object_pairs_hook=keep)
    return found


def _must_be_read_back(checked: Event) -> None:
    line = good_line(checked.message_id, STAMP, checked.sent_at, "web", checked.payload)
    assert is_whole(line)
    assert line.count(b"\n") == 1
    envelope = read_exactly(line)
    assert envelope["message_id"] == checked.message_id
    assert envelope["sent_at"] == checked.sent_at
    assert envelope["payload"] == read_exactly(checked.payload)


def a_rejected_line(data: bytes) -> None:
    """Whatever is rejected is one whole line, and its bytes come out of it again."""
    line = rejected_line(STAMP, "web", None, "bad_json", data)
    assert is_whole(line)
    assert line.count(b"\n") == 1
    assert base64.b64decode(json.loads(line)["body"]) == data
    assert not is_whole(line[:-1])


def a_kept_body(data: bytes) -> None:
    """Nothing of a key is in what is kept, in whatever it stands, and no other byte is another."""
    for text in (data, data + KEY + data, data.replace(b"k", KEY)):
        kept = HIDE(text)
        assert len(kept) == len(text)
        assert KEY not in kept
        assert {new for old, new in zip(text, kept, strict=True) if old != new} <= {ord("*")}
        assert HIDE(kept) == kept


def slices(data: bytes) -> None:
    """Cutting by brackets gives what msgspec gives, where the text is valid, and never raises."""
    for text in (data, b"[" + data + b"]", b"{" + data + b"}"):
        _arrays_must_agree(text)
        _objects_must_agree(text)


def _arrays_must_agree(text: bytes) -> None:
    cut = elements(text)
    try:
        whole = list(map(bytes, _decode_elements(text)))
    except _NOT_DECODABLE:
        whole = None
    if whole is not None:
        assert cut == whole
        assert first_element(text) == (whole[0] if whole else None)
    read = read_array(text, 10_000)
    assert (list(map(bytes, read)) if read is not None else None) == (
        cut if whole is None else whole
    )
    few = elements(text, 2)
    assert cut is None or few == cut[:2]


def _objects_must_agree(text: bytes) -> None:
    found = members(text)
    try:
        whole = _decode_members(text)
    except _NOT_DECODABLE:
        return
    assert found is not None
    cut = {key: text[start:end] for key, start, end in found}
    assert cut == {key: bytes(value) for key, value in whole.items()}
    fields = read_fields(text)
    assert {key: bytes(value) for key, value in fields.values.items()} == cut
    assert (fields.flaw == "duplicate_key") == (len(found) != len(cut))


def depth(data: bytes) -> None:
    """Depth is what a parser finds."""
    try:
        # Objects as lists of their values, so that no member is forgotten for another.
        value = json.loads(data.decode(), object_pairs_hook=lambda pairs: [v for _, v in pairs])
    except (ValueError, RecursionError):
        deeper_than(data, 3)
        return
    levels = _levels(value)
    assert not deeper_than(data, levels)
    assert levels == 0 or deeper_than(data, levels - 1)


def _levels(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(_levels, value), default=0)
    return 0


def a_batch(data: bytes) -> None:
    """What a batch shares is added to its events, and changes nothing that stands in them."""
    fields = read_fields(data)
    assert fields.flaw is None or fields.flaw in REASONS
    batch = read_batch(fields, LIMITS, 10_000)
    if not isinstance(batch, Batch):
        assert batch in REASONS
        return
    shared = {
        name: read_exactly(bytes(fields.values[name])) for name in NAMES if name in fields.values
    }
    for item in map(bytes, batch.items):
        _must_only_be_added_to(item, batch.shared, shared)


def _must_only_be_added_to(item: bytes, fields: SharedFields, shared: Mapping[str, Any]) -> None:
    checked = check_event(item, fields, None, LIMITS)
    alone = check_event(item, NOTHING_SHARED, None, LIMITS)
    assert isinstance(checked, Event) == isinstance(alone, Event)
    if not isinstance(checked, Event):
        return
    own, merged = read_exactly(item), read_exactly(checked.payload)
    expected = dict(own) | {name: value for name, value in shared.items() if name not in own}
    for name, value in shared.items():
        if isinstance(value, dict) and isinstance(own.get(name), dict):
            expected[name] = own[name] | {k: v for k, v in value.items() if k not in own[name]}
    assert merged == expected
    assert list(merged)[: len(own)] == list(own)
    if merged == own:
        _must_be_as_it_came(checked, item)
    _must_be_read_back(checked)


def a_credential(data: bytes) -> None:
    """Only the right signature and key are right, and nothing but a 401 comes of the others."""
    header, _, text = data.partition(b"\n")
    signature = header.decode("latin-1")
    right = hmac.new(SECRET.encode(), text, hashlib.sha1)
    assert is_signed(SOURCE, signature, text) == (signature.lower() == right.hexdigest())
    assert is_signed(SOURCE, right.hexdigest(), text)
    assert may_be_signed(signature) or not is_signed(SOURCE, signature, text)
    write_key = read_fields(data).values.get("writeKey")
    tracking = Endpoint.TRACKING
    found = _found(partial(credential_of_header, SOURCES, tracking, signature))
    assert found in (None, CREDENTIAL, 401)
    assert credential_of_body(SOURCES, tracking, write_key) in (None, CREDENTIAL)


def _found(find: Callable[[], Credential | None]) -> Credential | int | None:
    """Return a credential, or the status of the refusal."""
    try:
        return find()
    except RequestRefusedError as refused:
        return refused.status


def a_packed_body(data: bytes) -> None:
    """Unpacking gives what gzip gives, or says that it cannot, and never more than the limit."""
    limit = 1 << 16
    for text in (data, gzip.compress(data)):
        pieces, problem = gunzip(text, limit)
        found = b"".join(pieces)
        assert len(found) <= limit
        try:
            unpacked = gzip.decompress(text)
        except (OSError, EOFError, zlib.error):
            assert problem
            continue
        assert unpacked.startswith(found)
        if problem == "too_large":
            assert len(unpacked) > limit
        elif not problem:
            assert found == unpacked


INVARIANTS: dict[str, Callable[[bytes], None]] = {
    check.__name__: check
    for check in (
        an_event, a_rejected_line, a_kept_body, slices, depth, a_batch, a_credential, a_packed_body,
    )
}  # fmt: skip
"""Name → what has to hold."""
