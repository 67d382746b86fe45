"""Slow bodies: those that one process is waiting for, and who has to make room.

A connection that sends its body slowly costs little, but a process has room for some hundreds.
Where that is not enough, whoever has most of them loses the one that has been waited for longest:
senders in a hurry always find room, and those who send slowly take it from themselves.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from receiver.errors import ThrottledError

_RETRY_AFTER = 2


class _Reading:
    """One body that is waited for."""

    def __init__(self, end: Callable[[], object]) -> None:
        self.end = end
        self.has_to_go = False


class SlowBodies:
    """The bodies that one process is waiting for, by sender."""

    def __init__(self) -> None:
        """Start with none."""
        self._number = 0
        self._by_sender: dict[str, dict[_Reading, None]] = {}

    @contextmanager
    def waiting(self, sender: str, end: Callable[[], object]) -> Iterator[None]:
        """Wait for a body in a block.

        Args:
            sender: whose; the client's address, where that is not known yet.
            end: makes the waiting end, in whatever way.

        Raises:
            ThrottledError: it had to make room.
        """
        own = _Reading(end)
        self._by_sender.setdefault(sender, {})[own] = None
        self._number += 1
        try:
            yield
        except Exception:
            if own.has_to_go:
                raise _made_room() from None
            raise
        finally:
            self._forget(sender, own)
        if own.has_to_go:
            raise _made_room()

    def __len__(self) -> int:
        """Say how many there are."""
        return self._number

    def make_room(self) -> None:
        """End the longest wait of whoever has most, if there is any."""
        if not self._by_sender:
            return
        sender, waits = max(self._by_sender.items(), key=lambda one: len(one[1]))
        longest = next(iter(waits))
        longest.has_to_go = True
        self._forget(sender, longest)
        longest.end()

    def _forget(self, sender: str, one: _Reading) -> None:
        of_sender = self._by_sender.get(sender, {})
        if one in of_sender:
            del of_sender[one]
            self._number -= 1
            if not of_sender:
                del self._by_sender[sender]


def _made_room() -> ThrottledError:
    return ThrottledError(
        _RETRY_AFTER, "busy", "Too many bodies are being received; send again later."
    )
