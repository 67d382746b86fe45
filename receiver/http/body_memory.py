"""Body memory: how much of what is being received one process holds at once."""

import threading

from flask import Flask, current_app, g

from receiver.errors import NotLandedError

_KEY = "seamline-bodies"


class BodyMemory:
    """Counts the bytes of all requests that are being received."""

    def __init__(self, limit: int) -> None:
        """Start with none."""
        self._limit = limit
        self._held = 0
        self._lock = threading.Lock()

    def hold(self, size: int, already: int) -> None:
        """Count bytes of a request that has some already.

        Raises:
            NotLandedError: all together would be too many. One request alone never is.
        """
        with self._lock:
            others = self._held - already
            if others and self._held + size > self._limit:
                raise NotLandedError("busy")
            self._held += size

    def release(self, size: int) -> None:
        """Forget bytes of a request that has ended."""
        with self._lock:
            self._held -= size


def limit_bodies(app: Flask, limit: int) -> None:
    """Give an application a limit for the bodies it holds at once."""
    memory = app.extensions[_KEY] = BodyMemory(limit)

    @app.teardown_request
    def release(_error: BaseException | None) -> None:
        memory.release(g.pop("held", 0))


def hold(size: int) -> None:
    """Count bytes of the current request, until it has ended.

    Raises:
        NotLandedError: the process holds too many; the request has to be sent again.
    """
    already = g.get("held", 0)
    current_app.extensions[_KEY].hold(size, already)
    g.held = already + size
