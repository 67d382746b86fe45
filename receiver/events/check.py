"""Events: may this one be landed, and under which name?

The rules stand in `EventCheck`, in the order they are asked. An event is decoded once,
strictly, to know that whoever reads the landed file can decode it too; what is landed is
its bytes. What has to be changed in them is collected, and written once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from landed.folders import CALLS, DELETE
from landed.ids import SHOWN_NUL, is_blank, landed_message_id
from receiver.events.direct import DirectSender
from receiver.events.json_text import (
    NOT_DECODABLE,
    JsonObject,
    deeper_than,
    objects_without_gaps,
    why_no_object,
    without_lone_surrogates,
)
from receiver.events.made_up_ids import BY_CONTENT, ByContent
from receiver.events.shared_fields import SharedFields
from receiver.events.suppression import SuppressedPeople

MESSAGE_ID_CHARACTERS = 1000  # Segment's own are 100 at most

_decode = msgspec.json.Decoder().decode


class Limits(NamedTuple):
    """What an event may measure, and whether it may order an erasure."""

    event_bytes: int
    depth: int
    may_delete: bool = False


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


class NotStored(StrEnum):
    """Why an event is stored nowhere, and answered with 200 all the same."""

    SHUT_OUT = "shut_out"
    """Its `integrations` says that it is not for us."""
    SUPPRESSED = "suppressed"
    """It is of a person who is suppressed."""


Record = Event | Rejected | NotStored
"""What becomes of one event."""


class EventCheck(NamedTuple):
    """What the events of one request are checked by.

    Attributes:
        shared: what the batch says about all its events.
        path_call: the call the request's path names, for an event that names none itself.
        limits: what an event may measure, and order.
        direct: the SDK they came from, if they did not come by way of Segment.
        suppressed: whose events are not stored, if anybody's.
        ids: makes up the id of an event that has none.
    """

    shared: SharedFields
    path_call: str | None
    limits: Limits
    direct: DirectSender | None = None
    suppressed: SuppressedPeople | None = None
    ids: ByContent = BY_CONTENT

    def one(self, item: bytes) -> Record:
        """Check one event, from its bytes, without white space around them."""
        try:
            event, written = read_event(item, self.limits)
        except UnusableError as error:
            return self._unusable(item, error, self.path_call)
        return self._read(item, event, written.values, written)

    def some(self, items: Sequence[bytes | Raw]) -> Iterator[Sequence[Record]]:
        """Check events. Where all are sound, they are read together, or else one by one.

        Args:
            items: each without white space around it; as `Raw`, if they were cut out of an array
                that is valid.
        """
        is_cut_right = len(items) > 1 and isinstance(items[0], Raw)
        read = read_events(items, self.limits) if is_cut_right else None
        if read is None:
            for item in items:
                yield [self.one(bytes(item))]
        else:
            yield [self._read(item, event, written) for item, event, written in read]

    def _read(
        self,
        item: bytes,
        event: Mapping[str, Any],
        members: dict[str, Raw],
        written: JsonObject | None = None,
    ) -> Record:
        """Check an event that has been read.

        Args:
            item: its bytes as they came.
            event: its members, decoded.
            members: the same as they are written.
            written: the object that they stand in, if that is not `item` without gaps.
        """
        call = self.path_call
        try:
            call = _call_of(event, call)
            _refuse_order(call, self.limits)
            is_mended = written is not None and written.text is not item
            message_id = _message_id_of(event, item, self.ids, is_mended=is_mended)
        except UnusableError as error:
            return self._unusable(item, error, call)
        if self.suppressed and self.suppressed.has_sent(members):
            return NotStored.SUPPRESSED
        shared = self.shared
        changes = shared.changes_to(event, members) if shared.size else {}
        if self.direct:
            seen = shared.seen_in(event)
            if self.direct.shuts_us_out(seen):
                return NotStored.SHUT_OUT
            self.direct.add_changes(changes, seen, members)
        if changes:
            payload = (written or JsonObject(item, members)).changed(changes)
        else:
            payload = written.text if written else item
        return Event(call, message_id, _sent_at_of(event) or shared.sent_at, payload)

    def _unusable(self, item: bytes, error: "UnusableError", call: str | None) -> Record:
        if self.suppressed and self.suppressed.is_in(item):
            return NotStored.SUPPRESSED
        return Rejected(error.reason, item, call)


def check_event(
    item: bytes,
    shared: SharedFields,
    path_call: str | None,
    limits: Limits,
    direct: DirectSender | None = None,
    suppressed: SuppressedPeople | None = None,
    ids: ByContent = BY_CONTENT,
) -> Record:
    """Check one event, from its bytes, by all that `EventCheck` has."""
    return EventCheck(shared, path_call, limits, direct, suppressed, ids).one(item)


class UnusableError(Exception):
    """What cannot be used as an event, and why."""

    def __init__(self, reason: str) -> None:
        """Take the reason, one word."""
        super().__init__(reason)
        self.reason = reason


def read_event(item: bytes, limits: Limits) -> tuple[dict[str, Any], JsonObject]:
    """Read an event's members, decoded and as they are written, without halves of characters.

    msgspec finds what is written without a look at UTF-8 or a number's size; to decode it costs
    no more than to look for both.

    Raises:
        UnusableError: it is too large, no valid object, or can be read in two ways.
    """
    if len(item) > limits.event_bytes:
        raise UnusableError("too_big")
    if deeper_than(item, limits.depth):
        raise UnusableError("too_deep")
    try:
        event = _decode(item)
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = without_lone_surrogates(item)
        if text == item:
            raise UnusableError(why_no_object(item)) from None
        return read_event(text, limits)
    if type(event) is not dict:
        raise UnusableError("not_object")
    written = JsonObject(item)
    if written.repeats_a_key:
        raise UnusableError("duplicate_key")
    return event, written


def read_events(
    items: Sequence[bytes | Raw], limits: Limits
) -> Iterable[tuple[bytes, dict[str, Any], dict[str, Raw]]] | None:
    """Read the members of several events at once, as `read_event` does of each.

    Returns:
        The bytes of each, its members, decoded and as they are written; None if one is unusable,
        or is not told to be sound so cheaply.
    """
    array = b"[%b]" % b",".join(items)
    texts = [bytes(item) for item in items]
    if max(map(len, texts)) > limits.event_bytes or _are_deep(array, texts, limits.depth):
        return None
    try:
        events = _decode(array)
        members = objects_without_gaps(array)
    except NOT_DECODABLE:
        return None
    if members is None or len(members) != len(texts):
        return None
    return zip(texts, events, members, strict=True)


def _are_deep(array: bytes, texts: Sequence[bytes], limit: int) -> bool:
    if array.count(b"{") + array.count(b"[") <= limit:
        return False
    return any(deeper_than(text, limit) for text in texts)


def _call_of(event: Mapping[str, Any], path_call: str | None) -> str:
    call = event.get("type")
    if call is None:
        call = path_call
    if call is None:
        raise UnusableError("no_type")
    if type(call) is not str or call not in CALLS:
        raise UnusableError("unknown_type")
    return call


def _refuse_order(call: str, limits: Limits) -> None:
    if call == DELETE and not limits.may_delete:
        raise UnusableError("delete_not_allowed")


def _message_id_of(
    event: Mapping[str, Any], item: bytes, ids: ByContent, *, is_mended: bool
) -> str:
    message_id = event.get("messageId")
    if message_id is None:
        return ids.made_up(event, item)
    if type(message_id) is not str or len(message_id) > MESSAGE_ID_CHARACTERS:
        raise UnusableError("bad_message_id")
    # without their halves, two ids would be one
    if is_blank(message_id) or (is_mended and SHOWN_NUL in message_id):
        raise UnusableError("bad_message_id")
    return landed_message_id(message_id)


def _sent_at_of(event: Mapping[str, Any]) -> str | None:
    sent_at = event.get("sentAt")
    if sent_at is None or type(sent_at) is str:
        return sent_at
    return msgspec.json.encode(sent_at).decode()
