"""Addresses that have lately proven whom they send for, with a key in a body or a signature."""

import time
from collections import OrderedDict

MOST = 16_384  # some megabytes; who has a page's key may have very many addresses
_SECONDS = 600.0


class KnownAddresses:
    """The addresses that one process has let in lately, no more than it has room for."""

    def __init__(self, most: int = MOST) -> None:
        """Start with none.

        Args:
            most: how many there may be; those that were let in last are kept.
        """
        self._most = most
        self._let_in: OrderedDict[str, float] = OrderedDict()

    def note(self, address: str) -> None:
        """Count an address as known, from now on for ten minutes."""
        self._let_in[address] = time.monotonic()
        self._let_in.move_to_end(address)
        if len(self._let_in) > self._most:
            self._let_in.popitem(last=False)

    def __contains__(self, address: str | None) -> bool:
        """Say whether an address is known."""
        last = self._let_in.get(address or "")
        return last is not None and time.monotonic() < last + _SECONDS
