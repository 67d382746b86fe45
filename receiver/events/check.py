"""Events: may this one be landed, and under which name?

The rules stand in `check_event`, in the order they are asked. An event is decoded once,
strictly, to know that whoever reads the landed file can decode it too; what is landed is
its bytes.
"""

from codecs import iterdecode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from landed.folders import CALLS
from landed.ids import is_blank, landed_message_id
from receiver.events.direct import DirectSender
from receiver.events.json_text import deeper_than, repeats_a_key
from receiver.events.made_up_ids import BY_CONTENT, MadeUpIds
from receiver.events.shared_fields import SharedFields
from receiver.events.suppression import SuppressedPeople

MESSAGE_ID_CHARACTERS = 1000  # Segment's own are 100 at most

# Raw checks the grammar, but neither UTF-8 nor a number's size: `_decode` does.
_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_PIECE = 1 << 20


class Limits(NamedTuple):
    """What an event may measure."""

    event_bytes: int
    depth: int


class Event(NamedTuple):
    """An event that can be landed under its call."""

    call: str
    message_id: str
    sent_at: str | None
    payload: bytes


class Rejected(NamedTuple):
    """Bytes that cannot be used as an event, why, and the call as far as it is known."""

    reason: str
    body: bytes
    call: str | None = None


class Suppressed(NamedTuple):
    """Something of a person who is suppressed."""

    call: str | None = None


class ShutOut(NamedTuple):
    """An event whose `integrations` says that it is not for us."""

    call: str


def check_event(
    item: bytes,
    shared: SharedFields,
    path_call: str | None,
    limits: Limits,
    direct: DirectSender | None = None,
    suppressed: SuppressedPeople | None = None,
    ids: MadeUpIds = BY_CONTENT,
) -> Event | Rejected | ShutOut | Suppressed:
    """Check one event.

    Args:
        item: the event's bytes, without white space around them.
        shared: what the batch says about all its events.
        path_call: the call the request's path names, for an event that names none itself.
        limits: what it may measure.
        direct: the SDK it came from, if it did not come by way of Segment.
        suppressed: whose events are not stored, if anybody's.
        ids: makes up the id of an event that has none.

    Returns:
        The event with the batch's fields in it, or its bytes and the reason against it, or
        that it is not for us, or not to be stored.
    """
    call = path_call
    try:
        event = _decode_event(item, limits)
        call = _call_of(event, path_call)
        message_id = _message_id_of(event, item, ids)
    except _UnusableError as error:
        if suppressed and suppressed.is_in(item):
            return Suppressed(call)
        return Rejected(error.reason, item, call)
    if suppressed and suppressed.has_sent(event, item):
        return Suppressed(call)
    sent_at = _sent_at_of(event) or shared.sent_at
    payload = shared.merged_into(item, event)
    if direct:
        seen = shared.seen_in(event)
        if direct.shuts_us_out(seen):
            return ShutOut(call)
        payload = direct.completed(payload, seen)
    return Event(call, message_id, sent_at, payload)


class _UnusableError(Exception):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _decode_event(item: bytes, limits: Limits) -> dict[str, Any]:
    if len(item) > limits.event_bytes:
        raise _UnusableError("too_big")
    if deeper_than(item, limits.depth):
        raise _UnusableError("too_deep")
    try:
        event = _decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _UnusableError(why_no_object(item)) from None
    if type(event) is not dict:
        raise _UnusableError("not_object")
    if repeats_a_key(item, _decode_members(item)):
        raise _UnusableError("duplicate_key")
    return event


def _call_of(event: Mapping[str, Any], path_call: str | None) -> str:
    call = event.get("type")
    if call is None:
        call = path_call
    if call is None:
        raise _UnusableError("no_type")
    if type(call) is not str or call not in CALLS:
        raise _UnusableError("unknown_type")
    return call


def _message_id_of(event: Mapping[str, Any], item: bytes, ids: MadeUpIds) -> str:
    message_id = event.get("messageId")
    if message_id is None:
        return ids.made_up(event, item)
    if type(message_id) is not str or len(message_id) > MESSAGE_ID_CHARACTERS:
        raise _UnusableError("bad_message_id")
    if is_blank(message_id):
        raise _UnusableError("bad_message_id")
    return landed_message_id(message_id)


def _sent_at_of(event: Mapping[str, Any]) -> str | None:
    sent_at = event.get("sentAt")
    if sent_at is None or type(sent_at) is str:
        return sent_at
    return msgspec.json.encode(sent_at).decode()


def why_no_object(text: bytes) -> str:
    """Return the reason against bytes that could not be read as an object."""
    try:
        for _ in iterdecode(_pieces(text), "utf-8"):
            pass
        # A text far too large for an event may hold millions of values: not one is made of them.
        (_decode if len(text) <= _PIECE else _decode_raw)(text)
    except UnicodeDecodeError:
        return "not_utf8"
    except msgspec.DecodeError:
        return "bad_json"
    except RecursionError:
        return "too_deep"
    return "not_object"


def _pieces(text: bytes) -> Iterator[bytes]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
