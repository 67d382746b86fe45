"""Quotas: how much one source may send, so that it takes nothing from the others.

A request is let in for as long as its source has anything left, and then counts in full: a batch
is never too large for a quota, it only makes the next one wait longer.

A browser's key is public, and what comes with it is counted by itself: where a source has other
credentials too, it uses up half of each quota at most, and of that batch that went beyond no more
is charged to the others.
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
from receiver.senders.scopes import Kind
from receiver.senders.sources import Credential, Source

BURST_SECONDS = 10
"""So many seconds' events may come at once."""

LOG_SECONDS = 60.0

QUOTAS = ("events", "bytes", "disk")
"""Events a second, bytes a day, share of the disk."""

_PUBLIC, _OTHERS = "public", "others"
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


class _Taken(NamedTuple):
    """What was sent for a source: with its public keys, and with all its other credentials."""

    public: int
    others: int


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

    def must_have_left(self, credential: Credential, *, is_alone: bool) -> None:
        """Return if whoever sends with a credential has something left of everything.

        Args:
            credential: the credential.
            is_alone: whether its source is the only one, which has nobody to share the disk with.

        Raises:
            ThrottledError: it has not.
        """
        source = credential.source
        events, landed = self._events(source), self._landed(source)
        if _is_over(credential, events.amount, self._taken(events, source)):
            raise self._refusal(source, "events", events)
        taken = self._taken(landed, source)
        if _is_over(credential, landed.amount, taken):
            raise self._refusal(source, "bytes", landed)
        room = self._free.value() - self._allowed.reserve_bytes
        share = 1 if is_alone else self._allowed.disk_share
        if room > 0 and _is_over(credential, share * (room + sum(taken)), taken):
            raise self._refusal(source, "disk", landed)

    def take_events(self, credential: Credential, number: int) -> None:
        """Count events."""
        self._take(self._events(credential.source), credential, max(1, number))

    def take_bytes(self, credential: Credential, number: int) -> None:
        """Count landed bytes; fewer than none for those that did not land after all."""
        self._take(self._landed(credential.source), credential, number)

    def _take(self, item: RateLimitItem, credential: Credential, number: int) -> None:
        of_whom = _PUBLIC if credential.kind is Kind.BROWSER else _OTHERS
        self._limiter.hit(item, credential.source.name, of_whom, cost=number)

    def _taken(self, item: RateLimitItem, source: Source) -> _Taken:
        get = self._limiter.storage.get
        return _Taken(
            get(item.key_for(source.name, _PUBLIC)) if source.browser_keys else 0,
            get(item.key_for(source.name, _OTHERS)) if _has_others(source) else 0,
        )

    def _events(self, source: Source) -> RateLimitItem:
        number = source.events_per_second or self._allowed.events_per_second
        return RateLimitItemPerSecond(number * BURST_SECONDS, BURST_SECONDS, "events")

    def _landed(self, source: Source) -> RateLimitItem:
        number = source.bytes_per_day or self._allowed.bytes_per_day
        return RateLimitItemPerDay(number or 2**62, 1, "bytes")

    def _refusal(self, source: Source, quota: str, item: RateLimitItem) -> ThrottledError:
        self._note(source.name, quota, 1)
        self._log(source.name, quota)
        resets = (
            self._limiter.get_window_stats(item, source.name, of_whom).reset_time
            for of_whom in (_PUBLIC, _OTHERS)
        )
        seconds = math.ceil(max(resets) - time.monotonic())
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


def _has_others(source: Source) -> bool:
    """Say whether a source has credentials that are not public."""
    return any(source.of_kind(kind) for kind in Kind if kind is not Kind.BROWSER)


def _is_over(credential: Credential, most: float, taken: _Taken) -> bool:
    """Say whether what may be sent with a credential is used up.

    Args:
        credential: the credential.
        most: what its source may send.
        taken: what was sent for it.
    """
    of_public = most / 2 if _has_others(credential.source) else most
    if credential.kind is Kind.BROWSER and taken.public >= of_public:
        return True
    return min(taken.public, of_public) + taken.others >= most


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
