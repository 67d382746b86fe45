"""Refused time: what requests cost a process that it then refuses, and how much of that it gives.

Until it is known who sends them, requests are unauthenticated. A write key may stand in the body,
and a signature holds for it, so it has to be read, unpacked and searched for anybody. The time that
goes into what turns out to be nobody's is counted, by address and of all: who has used up theirs is
turned away before the next body is read. Addresses that were let in lately are counted apart from
all others, and by what they proved: anybody may have a public key, so those who sent one are
counted with that source's, and neither another source's visitors nor who brought a secret wait for
them. Whoever brings a write key in the header is authenticated by it, and is not held up by any of
it.

Damaged bodies of known sources are counted in the same way: they are cut by their brackets, a
hundred times as slowly as those that are sound.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from receiver.errors import NotLandedError, RequestRefusedError, ThrottledError
from receiver.http.known_addresses import MOST, KnownAddresses
from receiver.senders.counters import SharedCounters
from receiver.senders.sources import Credential
from receiver.server.native_threads import Turn, work_seconds

_WINDOW_SECONDS = 10
_WINDOW_MICROS = _WINDOW_SECONDS * 1_000_000


class RefusedTime:
    """The processor's time that one process has spent on somebody's requests that it refused."""

    def __init__(self, share: float) -> None:
        """Start with none.

        Args:
            share: what of its time it may spend on one of them.
        """
        self._most = round(min(share, 1) * _WINDOW_MICROS)
        self._counters = SharedCounters()
        self._all_end = 0.0

    def has_left(self, who: str | None, but: float = 0) -> bool:
        """Say whether a body may be read for somebody, as `must_have_left`."""
        if time.monotonic() > self._all_end:  # nobody has spent anything
            return True
        (spent,) = self._counters.get(str(who))
        return spent - round(but * 1e6) < self._most

    def must_have_left(self, who: str | None, but: float = 0) -> None:
        """Return if a body may be read for somebody.

        Args:
            who: the client's address, or the source.
            but: seconds that were counted, and are not to be looked at.

        Raises:
            ThrottledError: too much time went into such bodies already.
        """
        if not self.has_left(who, but):
            raise ThrottledError(
                _WINDOW_SECONDS,
                "busy",
                "Too many requests that are damaged or not authorized; send again later.",
            )

    def at_work(self, who: str | None) -> "IfRefused":
        """Count the time of a block, if it ends in a refusal."""
        return IfRefused(lambda seconds: self.spend(who, seconds))

    def spend(self, who: str | None, seconds: float) -> None:
        """Count time."""
        self._counters.add(str(who), _WINDOW_SECONDS, round(seconds * 1e6))
        self._all_end = time.monotonic() + _WINDOW_SECONDS


class Group(NamedTuple):
    """Those that an address is counted with."""

    name: str
    parts: int = 1
    """Into how many parts what such a group has is divided, of which it has one."""


_UNKNOWN = Group("unknown addresses")
_TRUSTED = Group("addresses with a secret")


class UnauthenticatedTime:
    """The same of unauthenticated requests: by address, and of all of a group of addresses."""

    def __init__(self, share: float, public_sources: Callable[[], int] = lambda: 1) -> None:
        """Start with none.

        Args:
            share: what of its time it may spend on one address. All that are unknown have two and
                a half times as much, so have all that brought a secret, and so have all that
                brought a public key: each source's a part of it, and one address as small a part.
            public_sources: says how many sources have public keys.
        """
        self._of_one = RefusedTime(share)
        # In a table of its own: thousands of addresses push each other out of theirs.
        self._of_all = RefusedTime(2.5 * share)
        self._public_sources = public_sources
        self._trusted = KnownAddresses()
        self._public: dict[str, KnownAddresses] = {}

    def groups(self, address: str | None) -> list[Group]:
        """Return the groups an address may be counted with: those with time left, or one."""
        parts = max(1, self._public_sources())
        known = [_TRUSTED] if address in self._trusted else []
        known += [
            Group(f"addresses with a public key of source {name}", parts)
            for name, addresses in list(self._public.items())
            if address in addresses
        ]
        known = known or [_UNKNOWN]
        return [group for group in known if self._of_all.has_left(group.name)] or known[:1]

    def must_have_left(self, address: str | None) -> None:
        """Return if a body may be read for an address.

        Args:
            address: as it is counted.

        Raises:
            ThrottledError: too much time went into its bodies already, or into all such.
        """
        self._of_one.must_have_left(address)
        self._of_all.must_have_left(self.groups(address)[0].name)

    def at_work(self, address: str | None) -> "IfRefused":
        """Count the time of a block, if it ends in a refusal."""
        return IfRefused(lambda seconds: self._spend(address, seconds))

    def turn(self, address: str | None) -> Turn:
        """Return in whose turn something is computed for an address."""
        return Turn(f"address {address}", partial(self.must_have_left, address))

    def _spend(self, address: str | None, seconds: float) -> None:
        group = self.groups(address)[0]
        self._of_one.spend(address, seconds * group.parts)
        self._of_all.spend(group.name, seconds * group.parts)

    def let_in(self, address: str | None, credential: Credential) -> None:
        """Count an address as known, from now on, by what was brought from it."""
        if not address:
            return
        addresses = self._trusted
        if credential.is_public:
            most = MOST // max(1, self._public_sources())
            addresses = self._public.setdefault(credential.source.name, KnownAddresses(most))
        addresses.note(address)


class IfRefused:
    """Counts the time of a block that ends in a refusal, unless it is to come again."""

    def __init__(
        self, spend: Callable[[float], None], clock: Callable[[], float] = work_seconds
    ) -> None:
        """Take what counts it, and a clock of the work for the request."""
        self._spend = spend
        self._clock = clock

    def __enter__(self) -> None:
        """Begin."""
        self._started = self._clock()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Count the time, if there is a reason to."""
        is_refused = isinstance(error, RequestRefusedError)
        if is_refused and not isinstance(error, NotLandedError | ThrottledError):
            self._spend(self._clock() - self._started)
