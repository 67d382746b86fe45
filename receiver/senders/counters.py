"""Counters that all workers share: what `limits` counts in, in memory mapped by each of them.

None of the stores that come with it is shared by processes without a server beside them. A
counter is kept under a hash of its name, in a table of fixed size. Nothing of it is worth
keeping: where a process dies between two writes, a counter has run out early or late.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limits.storage import Storage

from landed.files import FILE_MODE

_SLOT = struct.Struct("<16sdq")  # the name's hash, when it runs out, the count
_SLOTS = 4096
_LOOKED_AT = 16  # slots that a name may be in
_SIZE = _SLOTS * _SLOT.size


class SharedCounters(Storage):
    """Counters with a time after which they are 0 again; times are `time.monotonic`'s."""

    STORAGE_SCHEME = None

    def __init__(self, path: Path | None = None) -> None:
        """Take a table.

        Args:
            path: its file, which is made unless it is there; without one it is this process's own.
        """
        super().__init__()
        self._file: int | None = None
        if path:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            os.ftruncate(self._file, _SIZE)
        self._table = mmap.mmap(-1 if self._file is None else self._file, _SIZE)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a counter, or take away from it; return what it is then.

        Args:
            key: its name.
            expiry: after how many seconds it is 0 again, from when it was 0.
            amount: how much.
        """
        now = time.monotonic()
        with self._locked():
            place, ends, count = self._find(key, now)
            if not ends:
                ends, count = now + expiry, 0
            count = max(0, count + amount)
            _SLOT.pack_into(self._table, place, _name(key), ends, count)
        return count

    def get(self, key: str) -> int:
        """Return what a counter is."""
        with self._locked():
            return self._find(key, time.monotonic())[2]

    def get_expiry(self, key: str) -> float:
        """Return when a counter will be 0 again."""
        now = time.monotonic()
        with self._locked():
            return self._find(key, now)[1] or now

    def check(self) -> bool:
        """Say that it can be used."""
        return True

    def reset(self) -> int | None:
        """Set all counters to 0."""
        with self._locked():
            self._table[:] = bytes(_SIZE)
        return None

    def clear(self, key: str) -> None:
        """Set a counter to 0."""
        with self._locked():
            place, ends, _ = self._find(key, time.monotonic())
            if ends:
                _SLOT.pack_into(self._table, place, bytes(16), 0.0, 0)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What a failure of it is."""
        return OSError

    def _find(self, key: str, now: float) -> tuple[int, float, int]:
        """Return where a counter is or may be put, when it runs out, and what it is."""
        name = _name(key)
        first = int.from_bytes(name[:4])
        free, soonest = 0, float("inf")
        for step in range(_LOOKED_AT):
            place = (first + step) % _SLOTS * _SLOT.size
            found, ends, count = _SLOT.unpack_from(self._table, place)
            if found == name and ends > now:
                return place, ends, count
            if ends <= now:
                ends = 0.0  # free, as all of those
            if ends < soonest:
                free, soonest = place, ends
        return free, 0.0, 0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other processes out, for microseconds; the kernel frees what a dead one had."""
        if self._file is None:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _name(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=16).digest()
