"""Body memory: how much of what is being received one process holds at once, and whose it is.

Whoever sends slowly, or holds back the last byte, keeps what came before in memory. So nobody has
all of it: a source has half, of which its public keys have half; those without a key in the header
have an eighth where nobody knows them, an eighth where they brought a secret lately, and an eighth
where they brought a public key, divided among the sources; one address has half of its group's.
"""

import threading
from collections import Counter
from typing import NamedTuple

from receiver.errors import NotLandedError

SOURCES_SHARE = 1 / 2
PUBLIC_SHARE = 1 / 4
UNAUTHENTICATED_SHARE = 1 / 8
ADDRESS_SHARE = 1 / 2  # of its group's


class Account(NamedTuple):
    """Whose bodies are counted together, and how many bytes of them there may be."""

    name: str
    most: int


class BodyMemory:
    """Counts the bytes of all requests that are being received."""

    def __init__(self, limit: int) -> None:
        """Start with none."""
        self._all = Account("all", limit)
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def hold(self, size: int, already: int, accounts: tuple[Account, ...] = ()) -> None:
        """Count bytes of a request that has some already.

        Args:
            size: how many more.
            already: how many it has.
            accounts: where they are counted, besides among all; the same for all of a request.

        Raises:
            NotLandedError: an account's would be too many. One request alone never is.
        """
        counted = (self._all, *accounts)
        with self._lock:
            for name, most in counted:
                held = self._held[name]
                if held > already and held + size > most:
                    raise NotLandedError("busy")
            for name, _ in counted:
                self._held[name] += size

    def held(self, account: str) -> int:
        """Return how many bytes are counted there."""
        with self._lock:
            return self._held[account]

    def release(self, size: int, accounts: tuple[Account, ...] = ()) -> None:
        """Forget bytes of a request that has ended."""
        with self._lock:
            for name, _ in (self._all, *accounts):
                self._held[name] -= size
                if not self._held[name]:
                    del self._held[name]


class HeldBody:
    """What one request holds, until it has ended."""

    def __init__(self, memory: BodyMemory) -> None:
        """Start with nothing, and on nobody's account."""
        self._memory = memory
        self._accounts: tuple[Account, ...] = ()
        self._size = 0

    def count_on(self, *accounts: Account) -> None:
        """Say whose it is, before any of it is held."""
        self._accounts = accounts

    def hold(self, size: int) -> None:
        """Count more bytes.

        Raises:
            NotLandedError: the process, or its sender, holds too many; the request has to be sent
                again.
        """
        self._memory.hold(size, self._size, self._accounts)
        self._size += size

    def release(self) -> None:
        """Forget all of it."""
        self._memory.release(self._size, self._accounts)
