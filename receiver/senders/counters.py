"""Counters that all workers share, in memory mapped by each of them.

A counter is kept under a hash of its name, in a table of fixed size. Nothing of it is worth
keeping: where a process dies between two writes, a counter has run out early or late.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from functools import lru_cache
from pathlib import Path

from landed.files import FILE_MODE

_SLOT = struct.Struct("<16sdq")  # the name's hash, when it runs out, the count
_SLOTS = 4096
_LOOKED_AT = 16  # slots that a name may be in
_SIZE = _SLOTS * _SLOT.size


class SharedCounters:
    """Counters with a time after which they are 0 again; times are `time.monotonic`'s."""

    def __init__(self, path: Path | None = None) -> None:
        """Take a table.

        Args:
            path: its file, which is made unless it is there; without one it is this process's own.
        """
        self._file: int | None = None
        if path:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            os.ftruncate(self._file, _SIZE)
        self._table = mmap.mmap(-1 if self._file is None else self._file, _SIZE)

    def add(self, name: str, seconds: float, amount: int) -> None:
        """Add to a counter, or take away from it: it does not fall below 0.

        Args:
            name: its name.
            seconds: after so many it is 0 again, from when it was 0.
            amount: how much.
        """
        now = time.monotonic()
        self._lock()
        try:
            place, ends, count = self._find(name, now)
            if not ends:
                ends, count = now + seconds, 0
            _SLOT.pack_into(self._table, place, _hash(name), ends, max(0, count + amount))
        finally:
            self._unlock()

    def glance(self, *names: str) -> list[int]:
        """Return what counters are, but for one that is being written just now."""
        now = time.monotonic()
        return [self._find(name, now)[2] for name in names]

    def get(self, *names: str) -> list[int]:
        """Return what counters are, all at one time."""
        self._lock()
        try:
            return self.glance(*names)
        finally:
            self._unlock()

    def ends(self, name: str) -> float:
        """Return when a counter will be 0 again."""
        now = time.monotonic()
        self._lock()
        try:
            return self._find(name, now)[1] or now
        finally:
            self._unlock()

    def _find(self, name: str, now: float) -> tuple[int, float, int]:
        """Return where a counter is or may be put, when it runs out, and what it is."""
        key = _hash(name)
        first = int.from_bytes(key[:4])
        free, soonest = 0, float("inf")
        for step in range(_LOOKED_AT):
            place = (first + step) % _SLOTS * _SLOT.size
            found, ends, count = _SLOT.unpack_from(self._table, place)
            if found == key and ends > now:
                return place, ends, count
            if ends <= now:
                ends = 0.0  # free, as all of those
            if ends < soonest:
                free, soonest = place, ends
        return free, 0.0, 0

    def _lock(self) -> None:
        """Keep other processes out, for microseconds; the kernel frees what a dead one had."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def _unlock(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)


@lru_cache(_SLOTS)
def _hash(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=16).digest()
