"""Shared fields: what a batch says once about all its events.

Segment merges a batch's `context` and `integrations` into each event, and its `sentAt`
holds for all. We do the same to the bytes: members are put in before a closing brace, and
nothing that was there changes. What an event says itself wins, member by member.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from receiver.events.json_text import JsonObject, with_members

OBJECTS = ("context", "integrations")
NAMES = (*OBJECTS, "sentAt")

Changes = dict[str, bytes | None]
"""What is to be changed in an event: member → its new value, None for one that is left out."""


class SharedFields:
    """A batch's `context`, `integrations` and `sentAt`, ready to be put into its events."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        """Take the batch's fields.

        Args:
            values: the fields that are there, as bytes; they have passed as part of an event.
        """
        self._values = {name: values[name] for name in NAMES if name in values}
        self._decoded = {
            name: msgspec.json.decode(values[name]) for name in OBJECTS if name in values
        }
        self._members = {
            name: [
                (key, b"%b:%b" % (msgspec.json.encode(key), text[start:end]))
                for key, start, end in JsonObject(text).places()
            ]
            for name, text in self._values.items()
            if text.startswith(b"{")
        }
        self.size = sum(len(name) + 3 + len(text) for name, text in self._values.items())
        self.sent_at = _sent_at(self._values.get("sentAt"))

    def changes_to(self, event: Mapping[str, object], written: Mapping[str, Raw]) -> Changes:
        """Return what has to be changed in an event, so that it has the shared fields.

        Args:
            event: its members, decoded.
            written: the same members as they are written.
        """
        changes: Changes = {}
        for name, value in self._values.items():
            if name not in event:
                changes[name] = value
            elif isinstance(own := event[name], dict) and name in self._members:
                missing = [text for key, text in self._members[name] if key not in own]
                if missing:
                    changes[name] = with_members(bytes(written[name]), missing)
        return changes

    def seen_in(self, event: Mapping[str, object]) -> Mapping[str, object]:
        """Return a decoded event as it reads with the shared `context` and `integrations` in it."""
        if not self._decoded:
            return event
        seen = {**self._decoded, **event}
        for name, shared in self._decoded.items():
            if isinstance(shared, dict) and isinstance(own := seen[name], dict):
                seen[name] = {**shared, **own}
        return seen


def _sent_at(value: bytes | None) -> str | None:
    """Return a `sentAt` as text: a string as it reads, null as None, the rest as it is written."""
    if value is None or value == b"null":
        return None
    return msgspec.json.decode(value, type=str) if value.startswith(b'"') else value.decode()


NOTHING_SHARED = SharedFields({})
