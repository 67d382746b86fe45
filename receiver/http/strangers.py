"""Strangers: what a process does for requests before it is known who sends them, and how much.

A write key may stand in the body, and a signature holds for it, so it has to be read, unpacked
and searched for anybody. The time that goes into what turns out to be nobody's is counted, by
address and of all: who has used up theirs is turned away before the next body is read. Addresses
that were let in lately are counted apart from all others: many that nobody knows do not hold them
up. Whoever brings a write key in the header is no stranger, and is not held up by any of it.

Damaged bodies of known sources are counted in the same way: they are cut by their brackets, a
hundred times as slowly as those that are sound.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter

from receiver.errors import NotLandedError, RequestRefusedError, ThrottledError
from receiver.http.known_addresses import KnownAddresses
from receiver.senders.counters import SharedCounters
from receiver.server.native_threads import work_seconds

_WINDOW_SECONDS = 10
_WINDOW_MICROS = _WINDOW_SECONDS * 1_000_000


class TimeSpent:
    """The processor's time that one process has spent on somebody's requests in vain."""

    def __init__(self, share: float) -> None:
        """Start with none.

        Args:
            share: what of its time it may spend on one of them.
        """
        micros = round(min(share, 1) * _WINDOW_MICROS)
        self._most = RateLimitItemPerSecond(micros, _WINDOW_SECONDS)
        self._limiter = FixedWindowRateLimiter(SharedCounters())

    def must_have_left(self, who: str | None, but: float = 0) -> None:
        """Return if a body may be read for somebody.

        Args:
            who: the client's address, or the source.
            but: seconds that were counted, and are not to be looked at.

        Raises:
            ThrottledError: too much time went into such bodies already.
        """
        if not self._limiter.test(self._most, str(who), cost=1 - round(but * 1e6)):
            raise ThrottledError(
                _WINDOW_SECONDS,
                "busy",
                "Too many requests that are damaged or not authorized; send again later.",
            )

    @contextmanager
    def at_work(self, who: str | None) -> Iterator[None]:
        """Count the time of a block, if it ends in a refusal."""
        with _if_in_vain(lambda seconds: self.spend(who, seconds)):
            yield

    def spend(self, who: str | None, seconds: float) -> None:
        """Count time."""
        self._limiter.hit(self._most, str(who), cost=round(seconds * 1e6))


class Strangers:
    """The time that one process has spent on strangers in vain: on each, and on all."""

    def __init__(self, share: float) -> None:
        """Start with none.

        Args:
            share: what of its time it may spend on one address. All that are known have two and a
                half times as much, and so have all others.
        """
        self._of_one = TimeSpent(share)
        # In a table of its own: thousands of addresses push each other out of theirs.
        self._of_all = TimeSpent(2.5 * share)
        self._known = KnownAddresses()

    def group(self, address: str | None) -> str:
        """Return the name of those an address is counted with."""
        return "known addresses" if address in self._known else "unknown addresses"

    def must_have_left(self, address: str | None) -> None:
        """Return if a body may be read for an address.

        Args:
            address: as it is counted.

        Raises:
            ThrottledError: too much time went into its bodies already, or into all such.
        """
        self._of_one.must_have_left(address)
        self._of_all.must_have_left(self.group(address))

    @contextmanager
    def at_work(self, address: str | None) -> Iterator[None]:
        """Count the time of a block, if it ends in a refusal; else the address is known."""
        with _if_in_vain(lambda seconds: self._spend(address, seconds)):
            yield
        if address:
            self._known.note(address)

    def _spend(self, address: str | None, seconds: float) -> None:
        self._of_one.spend(address, seconds)
        self._of_all.spend(self.group(address), seconds)


@contextmanager
def _if_in_vain(spend: Callable[[float], None]) -> Iterator[None]:
    """Count the time of a block that ends in a refusal, unless it is to come again."""
    started = work_seconds()
    try:
        yield
    except (NotLandedError, ThrottledError):
        raise
    except RequestRefusedError:
        spend(work_seconds() - started)
        raise
