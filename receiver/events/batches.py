"""Batches: a request's body, cut into its events.

A body that is valid is cut by msgspec, in about a microsecond per event. One that is not
is cut by its brackets, so that one broken event does not cost its neighbours.
"""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TypeVar

import msgspec
from msgspec import Raw

from receiver.errors import RequestRefusedError
from receiver.events.check import Limits, UnusableError, read_event
from receiver.events.json_text import (
    NOT_DECODABLE,
    WHITESPACE,
    JsonObject,
    elements,
    members,
    why_no_object,
)
from receiver.events.shared_fields import NAMES, NOTHING_SHARED, SharedFields
from receiver.server.native_threads import (
    NATIVELY_FROM,
    compute,
    compute_in_turns,
    work_seconds,
)
from receiver.state import note_damage

_decode_elements = msgspec.json.Decoder(list[Raw]).decode

# msgspec makes an object of every value it cuts out, and a body may hold tens of millions:
# gigabytes. Up to this many commas it is 100 MB; with more, the values are counted first.
_MANY_COMMAS = 1_000_000
ENVELOPE_BYTES = 220
"""About what lands beside an event, so that empty ones count as well."""

_Found = TypeVar("_Found")
_MOST_FIELDS = 1000  # a batch has about six
_Known = msgspec.defstruct("_Known", [(name, Raw, Raw()) for name in ("writeKey", "batch", *NAMES)])
_decode_known = msgspec.json.Decoder(_Known).decode  # skips whatever has another name


class Fields(NamedTuple):
    """The members of a body that is an object, and what is wrong with it, if anything."""

    values: Mapping[str, Raw]
    flaw: str | None = None
    is_json: bool = True
    """Whether the body is valid; one that is not may have been cut at other places than meant."""


class Batch(NamedTuple):
    """Events that came together, and what was said of all of them."""

    items: Sequence[bytes | Raw]
    shared: SharedFields = NOTHING_SHARED


def read_fields(body: bytes) -> Fields:
    """Read the outermost object of a body; its members' values stay bytes, in the body."""
    text = body.strip(WHITESPACE)
    if _has_many_commas(text):
        return _read_known_fields(text)
    try:
        found = JsonObject(text)
    except NOT_DECODABLE:
        return counted(partial(_cut_fields, text))
    has_many = len(found.values) > _MOST_FIELDS
    repeats = counted(lambda: found.repeats_a_key) if has_many else found.repeats_a_key
    return Fields(found.values, "duplicate_key" if repeats else None)


def read_array(text: bytes | Raw, most: int) -> Sequence[bytes | Raw] | None:
    """Cut an array into its elements, which stay where they are in the body.

    Args:
        text: the array.
        most: how many elements a request may hold; of more, at least one more is returned.

    Returns:
        The elements, or None if the text is no array.

    Raises:
        RequestRefusedError: there are so many more that they are not even cut.
    """
    try:
        if _has_many_commas(text):
            _refuse_more_objects(text, most)
        return _decode_elements(text)
    except NOT_DECODABLE:
        return counted(partial(elements, bytes(text), most + 1))


def _has_many_commas(text: bytes | Raw) -> bool:
    return len(text) > _MANY_COMMAS and bytes(text).count(b",") > _MANY_COMMAS


def _refuse_more_objects(text: bytes | Raw, most: int) -> None:
    """Count an array's objects, and keep none.

    Raises:
        RequestRefusedError: there are more.
        msgspec.DecodeError: there is something else among them.
    """
    left = most

    class Counted(msgspec.Struct):
        def __post_init__(self) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise _too_many(most)

    msgspec.json.decode(text, type=list[Counted])


def first_element(text: bytes) -> bytes | None:
    """Return the first element of an array, without a look at the others; None without one."""
    found = compute(partial(elements, text, 1))
    return found[0] if found else None


def read_batch(fields: Fields, limits: Limits, most: int) -> Batch | str:
    """Cut the body of `/v1/batch` into its events.

    Args:
        fields: the body.
        limits: what an event may measure.
        most: how many events a request may hold; of more, at least one more is returned.

    Returns:
        The batch, or the reason why its body cannot be used.
    """
    if fields.flaw:
        return fields.flaw
    array = fields.values.get("batch")
    if array is None or bytes(memoryview(array)[:1]) != b"[":
        return "no_batch"
    items = read_array(array, most)
    if items is None:
        return why_no_object(bytes(array))
    values = {name: bytes(fields.values[name]) for name in NAMES if name in fields.values}
    if not values:
        return Batch(items)
    # The shared fields become a part of every event, so they have to pass as one.
    text = b"{%b}" % b",".join([b'"%b":%b' % (k.encode(), v) for k, v in values.items()])
    try:
        _, written = read_event(text, limits)
    except UnusableError as error:
        return error.reason
    return Batch(items, SharedFields({name: bytes(written.values[name]) for name in values}))


def batch_of(text: bytes, limits: Limits, most: int) -> Batch | str | None:
    """Cut a text into the events that came together in it, if it is an array or a batch.

    Args:
        text: the text, without white space around it.
        limits: what an event may measure.
        most: how many events it may hold; of more, at least one more is returned.

    Returns:
        The batch, the reason why it cannot be used, or None if the text is an event itself.
    """
    if text.startswith(b"["):
        items = read_array(text, most)
        return why_no_object(text) if items is None else Batch(items)
    if b'"batch"' not in text:
        return None
    fields = read_fields(text)
    # An event may have a `batch` of its own, but it has a type.
    is_batch = "batch" in fields.values and "type" not in fields.values
    return read_batch(fields, limits, most) if is_batch else None


def refuse_oversized(
    batch: Batch, batch_events: int, body_bytes: int, growth: int = sys.maxsize
) -> None:
    """Refuse what is over the caps of one request.

    Args:
        batch: its events.
        batch_events: how many may come together.
        body_bytes: what the shared fields may measure, once each event has them.
        growth: what may be landed beside what the events measure.

    Raises:
        RequestRefusedError: 413, it is too much.
    """
    events, shared = len(batch.items), batch.shared.size
    if events > batch_events:
        raise _too_many(batch_events)
    if events * shared > min(body_bytes, growth):
        raise RequestRefusedError(413, "too_large", "The batch's shared fields are too large.")
    if events * (shared + ENVELOPE_BYTES) > growth:
        message = "The batch's events would grow too much; send it plain, or in parts."
        raise RequestRefusedError(413, "too_packed", message)


def most_bytes(size: int, limit: int, ratio: int, unmeasured: int) -> int:
    """Return how many bytes may become of a request.

    Args:
        size: how many it has.
        limit: the most, whatever its size.
        ratio: how many times its size it may be.
        unmeasured: how many it may be whatever its size.
    """
    return min(limit, max(unmeasured, ratio * size))


def counted(look: Callable[[], _Found]) -> _Found:
    """Look into a damaged body, on the account of whoever sent it."""
    with _on_account():
        return compute(look)


def counted_in_turns(look: Generator[None, None, _Found]) -> _Found:
    """Look into a damaged body as `counted`, where that takes very long."""
    with _on_account():
        return compute_in_turns(look)


@contextmanager
def _on_account() -> Iterator[None]:
    started = work_seconds()
    try:
        yield
    finally:
        note_damage(work_seconds() - started)


def _too_many(most: int) -> RequestRefusedError:
    return RequestRefusedError(413, "too_many", f"A request may hold {most} events.")


def _read_known_fields(text: bytes) -> Fields:
    """Read a body with very many values: only those with a name of ours become objects."""
    try:
        known = compute(partial(_decode_known, text))
    except NOT_DECODABLE:
        return Fields({}, counted(partial(why_no_object, text)), is_json=False)
    values = {name: getattr(known, name) for name in known.__struct_fields__}
    # The rest, with the events left out of it, has to be as small as in any other body.
    array = bytes(values["batch"])
    rest = text.replace(array, b"0", 1) if array else text
    look = partial(_cut_fields, rest)
    found = look() if len(rest) < NATIVELY_FROM else counted(look)
    return Fields({name: values[name] for name in found.values if name in values}, found.flaw)


def _cut_fields(text: bytes) -> Fields:
    found = members(text, _MOST_FIELDS)
    if found is None:
        flaw = why_no_object(text)
        if flaw == "not_object" and text[:1] == b"{":
            flaw = "too_many_keys"
        return Fields({}, flaw, is_json=False)
    view = memoryview(text)
    values = {key: Raw(view[start:end]) for key, start, end in found}
    if len(values) != len(found):
        return Fields(values, "duplicate_key", is_json=False)
    is_cut_off = len(found) == _MOST_FIELDS
    return Fields(values, "too_many_keys" if is_cut_off else None, is_json=False)
