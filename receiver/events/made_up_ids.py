"""Ids for events that have none: what came at different times or places is not one event.

docs/decisions/0020-ids-for-events-without-one.md has the rule and its edges.
"""

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

from landed.ids import MADE_UP_PREFIX

_TIMES = ("timestamp", "originalTimestamp", "sentAt")


class ByContent:
    """Equal events have the same id: for what has been told apart already."""

    made = 0

    def made_up(self, event: Mapping[str, Any], item: bytes) -> str:
        """Return the id of an event that has none.

        Args:
            event: the event, decoded.
            item: its bytes as they came.
        """
        self.made += 1
        return self._made_up(event, item)

    def _made_up(self, _event: Mapping[str, Any], item: bytes) -> str:
        return _id_of(item)


class OfRequest(ByContent):
    """The ids of one request: it has the same ones when it is sent again at once."""

    def __init__(
        self, source: str, address: str | None, second: float, sent_at: str | None = None
    ) -> None:
        """Start with no event.

        Args:
            source: the sender's name.
            address: where the request came from, if that says who made it.
            second: when it was received, in seconds since 1970.
            sent_at: what the batch says of all its events.
        """
        self._place = f"{source}\0{address or ''}\0{sent_at or ''}\0".encode()
        self._is_timed = sent_at is not None
        self._minute = b"%d" % (second // 60)
        self._seen: dict[str, int] = {}

    def _made_up(self, event: Mapping[str, Any], item: bytes) -> str:
        # The minute counts where nothing says a time; an event that comes once more has a number.
        has_time = self._is_timed or any(event.get(name) is not None for name in _TIMES)
        found = _id_of(self._place, b"" if has_time else self._minute, b"\0", item)
        number = self._seen[found] = self._seen.get(found, 0) + 1
        return found if number == 1 else _id_of(found.encode(), b"\0%d" % number)


class OfView(ByContent):
    """The id of a pixel that was shown: nobody asks for an image again, so each is an event."""

    def _made_up(self, _event: Mapping[str, Any], _item: bytes) -> str:
        return _id_of(secrets.token_bytes(32))


class OfLine(ByContent):
    """The ids of one line of an imported file: of the same file, always the same ones."""

    def __init__(self, name: str, end: int) -> None:
        """Start with no event.

        Args:
            name: the file's name, without its folder.
            end: where in the unpacked file the line ends.
        """
        self._place = f"{name}\0{end}\0".encode()

    def _made_up(self, _event: Mapping[str, Any], item: bytes) -> str:
        return _id_of(self._place, b"%d\0" % self.made, item)


BY_CONTENT = ByContent()


def _id_of(*parts: bytes) -> str:
    return MADE_UP_PREFIX + hashlib.sha256(b"".join(parts)).hexdigest()
