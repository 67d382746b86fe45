"""Quotas: how much one source may send, so that it takes nothing from the others.

A request is let in for as long as its source has anything left, and then counts in full: a batch
is never too large for a quota, it only makes the next one wait longer.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter

from receiver.errors import ThrottledError
from receiver.senders.counters import SharedCounters
from receiver.senders.sources import Source

BURST_SECONDS = 10
"""So many seconds' events may come at once."""

LOG_SECONDS = 60.0

QUOTAS = ("events", "bytes", "disk")
"""Events a second, bytes a day, share of the disk."""

_LOOK_EVERY = 1.0
_LONGEST_RETRY = 300  # seconds; Segment's SDKs obey no longer one

log = structlog.get_logger()


class Allowed(NamedTuple):
    """What every source may, unless `sources.toml` says otherwise of it.

    Attributes:
        events_per_second: events, on the average of ten seconds.
        bytes_per_day: landed bytes; None for any number.
        disk_share: of the free space above the reserve, what one of several may fill in a day.
        reserve_bytes: the reserve.
    """

    events_per_second: int
    bytes_per_day: int | None
    disk_share: float
    reserve_bytes: int


class Quotas:
    """Counts what sources send, in counters that all workers share."""

    def __init__(
        self,
        allowed: Allowed,
        counters: SharedCounters,
        free_bytes: Callable[[], int],
        note: Callable[[str, str, int], None],
    ) -> None:
        """Take them.

        Args:
            allowed: what every source may.
            counters: where it is counted.
            free_bytes: the free space of the disk that events land on.
            note: counts requests that were turned away, by source and quota.
        """
        self._allowed = allowed
        self._limiter = FixedWindowRateLimiter(counters)
        self._free = _Recent(free_bytes)
        self._note = note
        self._turned_away: dict[tuple[str, str], int] = {}
        self._silent_until: dict[tuple[str, str], float] = {}

    def must_have_left(self, source: Source, *, is_alone: bool) -> None:
        """Return if a source has something left of everything.

        Args:
            source: the source.
            is_alone: whether it is the only one: then there is nobody to share the disk with.

        Raises:
            ThrottledError: it has not.
        """
        for quota, item in (("events", self._events(source)), ("bytes", self._bytes(source))):
            if item and not self._limiter.test(item, source.name):
                raise self._refusal(source, quota, item)
        if not is_alone:
            self._must_leave_room(source)

    def take_events(self, source: Source, number: int) -> None:
        """Count events."""
        self._limiter.hit(self._events(source), source.name, cost=max(1, number))

    def take_bytes(self, source: Source, number: int) -> None:
        """Count landed bytes; fewer than none for those that did not land after all."""
        self._limiter.hit(self._landed(source), source.name, cost=number)

    def _must_leave_room(self, source: Source) -> None:
        item = self._landed(source)
        taken = self._limiter.storage.get(item.key_for(source.name))
        room = self._free.value() - self._allowed.reserve_bytes
        if room > 0 and 0 < taken >= self._allowed.disk_share * (room + taken):
            raise self._refusal(source, "disk", item)

    def _events(self, source: Source) -> RateLimitItem:
        number = source.events_per_second or self._allowed.events_per_second
        return RateLimitItemPerSecond(number * BURST_SECONDS, BURST_SECONDS, "events")

    def _bytes(self, source: Source) -> RateLimitItem | None:
        has_one = source.bytes_per_day or self._allowed.bytes_per_day
        return self._landed(source) if has_one else None

    def _landed(self, source: Source) -> RateLimitItem:
        number = source.bytes_per_day or self._allowed.bytes_per_day
        return RateLimitItemPerDay(number or 2**62, 1, "bytes")

    def _refusal(self, source: Source, quota: str, item: RateLimitItem) -> ThrottledError:
        self._note(source.name, quota, 1)
        self._log(source.name, quota)
        resets = self._limiter.get_window_stats(item, source.name).reset_time
        seconds = math.ceil(resets - time.monotonic())
        return ThrottledError(min(_LONGEST_RETRY, max(1, seconds)))

    def _log(self, source: str, quota: str) -> None:
        """Write one line a minute, however many requests are turned away."""
        key, now = (source, quota), time.monotonic()
        self._turned_away[key] = self._turned_away.get(key, 0) + 1
        if now >= self._silent_until.get(key, 0.0):
            self._silent_until[key] = now + LOG_SECONDS
            log.warning(
                "throttled", source=source, quota=quota, requests=self._turned_away.pop(key)
            )


class _Recent:
    """A figure that is looked up once a second at most."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look = look
        self._looked = float("-inf")
        self._value = 0

    def value(self) -> int:
        if time.monotonic() >= self._looked + _LOOK_EVERY:
            self._looked = time.monotonic()
            self._value = self._look()
        return self._value
