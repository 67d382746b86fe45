"""Strangers: what a process does for requests before it is known who sends them, and how much.

A write key may stand in the body, and a signature holds for it, so it has to be read, unpacked
and searched for anybody. The time that goes into what turns out to be nobody's is counted, by
address and of all: who has used up theirs is turned away before the next body is read. Whoever
brings a write key in the header is no stranger, and is not held up by any of it.

Damaged bodies of known sources are counted in the same way: they are cut by their brackets, a
hundred times as slowly as those that are sound.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter

from receiver.errors import RequestRefusedError, ThrottledError
from receiver.senders.counters import SharedCounters

_WINDOW_SECONDS = 10
_WINDOW_MICROS = _WINDOW_SECONDS * 1_000_000


class TimeSpent:
    """The processor's time that one process has spent on somebody's requests in vain."""

    def __init__(self, share: float = 0.1, *, is_shared: bool = False) -> None:
        """Start with none.

        Args:
            share: what of its time it may spend on one of them.
            is_shared: whether all together have no more than two and a half times as much.
        """
        of_one, of_all = (round(part * _WINDOW_MICROS) for part in (share, min(2.5 * share, 1)))
        self._of_one = RateLimitItemPerSecond(of_one, _WINDOW_SECONDS, "one")
        self._of_all = RateLimitItemPerSecond(of_all, _WINDOW_SECONDS, "all")
        self._limiter = FixedWindowRateLimiter(SharedCounters())
        self._is_shared = is_shared

    def must_have_left(self, who: str | None) -> None:
        """Return if a body may be read for somebody.

        Args:
            who: the client's address, or the source.

        Raises:
            ThrottledError: too much time went into such bodies already.
        """
        is_left = self._limiter.test(self._of_one, str(who))
        if not is_left or (self._is_shared and not self._limiter.test(self._of_all)):
            raise ThrottledError(
                _WINDOW_SECONDS,
                "busy",
                "Too many requests that are damaged or not authorized; send again later.",
            )

    @contextmanager
    def at_work(self, who: str | None) -> Iterator[None]:
        """Count the time of a block, if it ends in a refusal."""
        started = time.process_time()
        try:
            yield
        except RequestRefusedError:
            self.spend(who, time.process_time() - started)
            raise

    def spend(self, who: str | None, seconds: float) -> None:
        """Count time."""
        micros = round(seconds * 1e6)
        self._limiter.hit(self._of_one, str(who), cost=micros)
        self._limiter.hit(self._of_all, cost=micros)
