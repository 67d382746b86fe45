"""A client's connection: what it waits for, and for how long."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import gevent

_HEADER_SECONDS = 10.0
_GRACE_SECONDS = 10.0  # before a body has to come at its rate; for some twice as long, as those
# that began together would end together, and others would wait
_LAST_SECONDS = 0.5  # for what has arrived before the end

_PIECES_AT_ONCE = 16
_LEAST_PIECE = 512
_PAUSE_SECONDS = 0.2
"""Whose request comes in more pieces than the first, which are smaller than the second on average,
is received no more often than this: what comes meanwhile waits in the kernel, and is one piece."""


class _Pace:
    """How fast a body has to come, and how fast it came so far."""

    def __init__(self, rate: int, error: Exception) -> None:
        self._rate = rate
        self._started = time.monotonic()
        self._grace = _GRACE_SECONDS * random.uniform(1, 2)  # noqa: S311 - no secret
        self.received = 0
        self.error = error

    def seconds_left(self) -> float:
        allowed = self._grace + self.received / self._rate
        return max(0.0, self._started + allowed - time.monotonic())


class Connection:
    """A client's socket, and whether a request on it is waited for, or has begun."""

    def __init__(self, client: Any) -> None:
        """Take the socket."""
        self._client = client
        self._timeout: gevent.Timeout | None = None
        self._pace: _Pace | None = None
        self._kept: list[bytes] | None = None
        self._wait: Callable[[], object] | None = None
        self._ends = float("inf")
        self._pieces = 0  # of the request that is being received
        self._bytes = 0
        self.has_begun = False

    def __getattr__(self, name: str) -> Any:
        """Be the socket in everything else."""
        return getattr(self._client, name)

    def recv(self, *arguments: Any) -> bytes:
        """Receive; the first bytes of a request start the time that its header may take."""
        if time.monotonic() > self._ends:
            return b""
        if self._wait:
            wait, self._wait = self._wait, None
            wait()
        if self._pace:
            return self._recv_in_time(self._pace, *arguments)
        data = self._recv(*arguments)
        if self._timeout and not self.has_begun:
            self.has_begun = True
            self._timeout.close()
            self._timeout = gevent.Timeout.start_new(_HEADER_SECONDS)
        return data

    def _recv_in_time(self, pace: _Pace, *arguments: Any) -> bytes:
        with gevent.Timeout(pace.seconds_left(), pace.error):
            data = self._recv(*arguments)
        pace.received += len(data)
        return data

    def _recv(self, *arguments: Any) -> bytes:
        # within whatever time there is: what has come by then is here without a further wait
        if self._pieces >= _PIECES_AT_ONCE and self._bytes < self._pieces * _LEAST_PIECE:
            gevent.sleep(_PAUSE_SECONDS)
        data: bytes = self._client.recv(*arguments)
        self._pieces += 1
        self._bytes += len(data)
        return data

    def sendall(self, data: bytes) -> None:
        """Send, or keep for the one write."""
        if self._kept is None:
            self._client.sendall(data)
        else:
            self._kept.append(data)

    @contextmanager
    def one_write(self) -> Iterator[None]:
        """Send what is sent in a block at its end, all at once: an answer's header and its body."""
        kept = self._kept = []
        try:
            yield
        finally:
            self._kept = None
            if kept:
                self._client.sendall(b"".join(kept))

    @contextmanager
    def once_waiting(self, patience: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        """Enter a context in a block, once something has to be received that is not here yet."""
        with ExitStack() as entered:
            self._wait = lambda: entered.enter_context(patience())
            try:
                yield
            finally:
                self._wait = None

    @contextmanager
    def at_least(self, rate: int, error: Exception) -> Iterator[None]:
        """Receive so many bytes a second in a block, on average and after some patience.

        Args:
            rate: bytes a second; 0 for any.
            error: raised where they are fewer.
        """
        self._pace = _Pace(rate, error) if rate else None
        try:
            yield
        finally:
            self._pace = None

    @contextmanager
    def awaiting(self, seconds: float) -> Iterator[None]:
        """Wait for a request and its header, and give up without an error."""
        self.has_begun = False
        self._pieces = self._bytes = 0
        self._timeout = gevent.Timeout.start_new(seconds)
        try:
            yield
        except gevent.Timeout as timeout:
            if timeout is not self._timeout:
                raise
        finally:
            self._timeout.close()
            self._timeout = None

    @property
    def has_ended(self) -> bool:
        """Say whether nothing more is received."""
        return self._ends < float("inf")

    def end(self) -> None:
        """Let the one who waits see the end; what has arrived already is served and answered.

        A client that goes on sending would be received all the same, so that has an end as well.
        """
        self._ends = min(self._ends, time.monotonic() + _LAST_SECONDS)
        try:
            self._client.shutdown(socket.SHUT_RD)
        except OSError:  # it has ended by itself
            return
