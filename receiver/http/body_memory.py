"""Body memory: how much of what is being received one process holds at once, and whose it is.

Whoever sends slowly, or holds back the last byte, keeps what came before in memory. So nobody has
all of it: a source has half, of which its public keys have half; those without a key in the header
have an eighth where nobody knows them, an eighth where they brought a secret lately, and an eighth
where they brought a public key, divided among the sources; one address has half of its group's.
"""

import threading
from collections import Counter
from typing import NamedTuple

from flask import Flask, current_app, g

from receiver.errors import NotLandedError

_KEY = "seamline-bodies"

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


def limit_bodies(app: Flask, limit: int) -> None:
    """Give an application a limit for the bodies it holds at once."""
    memory = app.extensions[_KEY] = BodyMemory(limit)

    @app.teardown_request
    def release(_error: BaseException | None) -> None:
        memory.release(g.pop("held", 0), g.pop("body_accounts", ()))


def hold_for(*accounts: Account) -> None:
    """Say whose the current request's body is, before any of it is held."""
    g.body_accounts = accounts


def held_for(account: str) -> int:
    """Return how many bytes an account has now."""
    memory: BodyMemory = current_app.extensions[_KEY]
    return memory.held(account)


def hold(size: int) -> None:
    """Count bytes of the current request, until it has ended.

    Raises:
        NotLandedError: the process, or its sender, holds too many; the request has to be sent
            again.
    """
    already = g.get("held", 0)
    current_app.extensions[_KEY].hold(size, already, g.get("body_accounts", ()))
    g.held = already + size
