"""Shared fields: what a batch says once about all its events.

Segment merges a batch's `context` and `integrations` into each event, and its `sentAt`
holds for all. We do the same to the bytes: members are put in before a closing brace, and
nothing that was there changes. What an event says itself wins, member by member.
"""

from collections.abc import Mapping

import msgspec

from receiver.events.json_text import WHITESPACE, Member, places

OBJECTS = ("context", "integrations")
NAMES = (*OBJECTS, "sentAt")


class SharedFields:
    """A batch's `context`, `integrations` and `sentAt`, ready to be put into its events."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        """Take the batch's fields.

        Args:
            values: the fields that are there, as bytes; they have passed as part of an event.
        """
        self._values = {name: values[name] for name in NAMES if name in values}
        self._appendix = {
            name: b'"%b":%b' % (name.encode(), value) for name, value in self._values.items()
        }
        self.size = sum(map(len, self._appendix.values()))
        self.sent_at = _sent_at(self._values.get("sentAt"))
        self._decoded = {
            name: msgspec.json.decode(self._values[name])
            for name in OBJECTS
            if name in self._values
        }

    def merged_into(self, item: bytes, event: Mapping[str, object]) -> bytes:
        """Return an event's bytes with the shared fields in it.

        Args:
            item: the event's bytes, a valid object without white space around it.
            event: the same event, decoded.
        """
        missing = []
        for name, appendix in self._appendix.items():
            if name not in event:
                missing.append(appendix)
            elif isinstance(own := event[name], dict) and self._values[name].startswith(b"{"):
                item = self._merged_within(item, name, own)
        return _with_members(item, missing)

    def seen_in(self, event: Mapping[str, object]) -> Mapping[str, object]:
        """Return a decoded event as it reads with the shared `context` and `integrations` in it."""
        if not self._decoded:
            return event
        seen = dict(event)
        for name, shared in self._decoded.items():
            own = seen.setdefault(name, shared)
            if isinstance(own, dict) and isinstance(shared, dict):
                seen[name] = {**shared, **own}
        return seen

    def _merged_within(self, item: bytes, name: str, own: Mapping[str, object]) -> bytes:
        """Put the members of a shared object that the event's own object lacks into it."""
        value = self._values[name]
        missing = [
            b"%b:%b" % (msgspec.json.encode(member.key), value[member.start : member.end])
            for member in places(value)
            if member.key not in own
        ]
        if not missing:
            return item
        place = _find(places(item), name)
        merged = _with_members(item[place.start : place.end], missing)
        return item[: place.start] + merged + item[place.end :]


def _with_members(text: bytes, added: list[bytes]) -> bytes:
    """Return an object's bytes with members put in at its end."""
    if not added:
        return text
    kept = text[:-1].rstrip(WHITESPACE)
    if kept != b"{":
        added = [kept, *added]
        return b",".join(added) + b"}"
    return b"{" + b",".join(added) + b"}"


def _find(found: list[Member], name: str) -> Member:
    return next(member for member in found if member.key == name)


def _sent_at(value: bytes | None) -> str | None:
    """Return a `sentAt` as text: a string as it reads, null as None, the rest as it is written."""
    if value is None:
        return None
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return None if value == b"null" else value.decode()


NOTHING_SHARED = SharedFields({})
