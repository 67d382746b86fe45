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

from receiver.errors import ThrottledError
from receiver.senders.counters import SharedCounters
from receiver.senders.scopes import Kind
from receiver.senders.sources import Credential, Source

BURST_SECONDS = 10
"""So many seconds' events may come at once."""

LOG_SECONDS = 60.0

QUOTAS = ("events", "bytes", "disk")
"""Events a second, bytes a day, share of the disk."""

_DAY_SECONDS = 24 * 60 * 60
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


class _Quota(NamedTuple):
    """What a source may send in some time."""

    of_public: str
    """The counter of what comes with its public keys."""
    of_others: str
    """The counter of what comes with its other credentials."""
    most: int
    seconds: int


class _Quotas(NamedTuple):
    """The quotas of one source, and what of it they are made of."""

    source: Source
    events: _Quota
    landed: _Quota
    has_public: bool
    has_others: bool

    def taken(self, look: Callable[..., list[int]]) -> tuple[_Taken, _Taken]:
        """Return what was sent for it: events, and landed bytes.

        Args:
            look: returns what counters are, by their names.
        """
        names = [(one.of_public, one.of_others) for one in (self.events, self.landed)]
        if self.has_public and self.has_others:
            public, others, landed, of_others = look(*names[0], *names[1])
            return _Taken(public, others), _Taken(landed, of_others)
        which = int(self.has_others)
        events, landed = look(names[0][which], names[1][which])
        if self.has_others:
            return _Taken(0, events), _Taken(0, landed)
        return _Taken(events, 0), _Taken(landed, 0)


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
        self._counters = counters
        self._of_sources: dict[str, _Quotas] = {}
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
        of = self._of(credential.source)
        # To keep the other processes out costs more than a look: it is for a look that refuses.
        if self._used_up(credential, of, of.taken(self._counters.glance), is_alone=is_alone) and (
            quota := self._used_up(credential, of, of.taken(self._counters.get), is_alone=is_alone)
        ):
            raise self._refusal(of, quota)

    def _used_up(
        self, credential: Credential, of: _Quotas, taken: tuple[_Taken, _Taken], *, is_alone: bool
    ) -> str | None:
        """Return the quota of which nothing is left, if there is one."""
        events, landed = taken
        if _is_over(credential, of, of.events.most, events):
            return "events"
        if _is_over(credential, of, of.landed.most, landed):
            return "bytes"
        room = self._free.value() - self._allowed.reserve_bytes
        share = 1 if is_alone else self._allowed.disk_share
        if room > 0 and _is_over(credential, of, share * (room + sum(landed)), landed):
            return "disk"
        return None

    def take_events(self, credential: Credential, number: int) -> None:
        """Count events."""
        self._take(self._of(credential.source).events, credential, max(1, number))

    def take_bytes(self, credential: Credential, number: int) -> None:
        """Count landed bytes; fewer than none for those that did not land after all."""
        self._take(self._of(credential.source).landed, credential, number)

    def _take(self, quota: _Quota, credential: Credential, number: int) -> None:
        is_public = credential.kind is Kind.BROWSER
        name = quota.of_public if is_public else quota.of_others
        self._counters.add(name, quota.seconds, number)

    def _of(self, source: Source) -> _Quotas:
        """Return the quotas of a source as it is now."""
        found = self._of_sources.get(source.name)
        if found is None or found.source is not source:
            found = self._of_sources[source.name] = self._made(source)
        return found

    def _made(self, source: Source) -> _Quotas:
        events = source.events_per_second or self._allowed.events_per_second
        landed = source.bytes_per_day or self._allowed.bytes_per_day
        return _Quotas(
            source,
            _quota(source, "events", events * BURST_SECONDS, BURST_SECONDS),
            _quota(source, "bytes", landed or 2**62, _DAY_SECONDS),
            bool(source.browser_keys),
            any(source.of_kind(kind) for kind in Kind if kind is not Kind.BROWSER),
        )

    def _refusal(self, of: _Quotas, name: str) -> ThrottledError:
        quota = of.events if name == "events" else of.landed
        self._note(of.source.name, name, 1)
        self._log(of.source.name, name)
        ends = max(map(self._counters.ends, (quota.of_public, quota.of_others)))
        seconds = math.ceil(ends - time.monotonic())
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


def _quota(source: Source, name: str, most: int, seconds: int) -> _Quota:
    return _Quota(f"{name} public {source.name}", f"{name} others {source.name}", most, seconds)


def _is_over(credential: Credential, of: _Quotas, most: float, taken: _Taken) -> bool:
    """Say whether what may be sent with a credential is used up.

    Args:
        credential: the credential.
        of: its source's quotas.
        most: what its source may send.
        taken: what was sent for it.
    """
    of_public = most / 2 if of.has_others else most
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
