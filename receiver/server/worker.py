"""gunicorn's gevent worker, for clients that leave connections open, or go on sending.

gunicorn waits for the next request as long as it waits for one that has begun, and takes no new
connection while as many as it bears are open, idle ones too. It reads the rest of a refused body
to its end, and a client that sends fast enough never lets the other requests of the process have
a turn.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from receiver.server.connection import Connection
from receiver.server.native_threads import NEXT_LOOK
from receiver.state import receiver_of

_SPARE_FILES = 128  # for what lands, and for connections that are being closed
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 << 20
_PIECE = 1 << 20


class Worker(GeventWorker):  # type: ignore[misc]
    """Keeps connections open, the newest if there are too many, and ends refused ones."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Start with no connection."""
        super().__init__(*arguments, **more)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = self.worker_connections * 9 // 10
        if files != resource.RLIM_INFINITY:
            most = max(1, min(most, files - _SPARE_FILES))
        self._most_connections = most
        self._connections: dict[gevent.Greenlet, Connection] = {}
        self._waiting: dict[Connection, None] = {}  # those that wait longest first

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection; if there are too many, another one ends."""
        own = gevent.getcurrent()
        connection = self._connections[own] = Connection(client)
        if len(self._connections) > self._most_connections:
            self._make_room()
        try:
            super().handle(listener, connection, addr)
        finally:
            del self._connections[own]

    def _make_room(self) -> None:
        """End the connection that has waited longest for a request, or sends one too slowly."""
        slow = receiver_of(self.wsgi).slow_bodies
        if self._waiting and len(slow) < self._most_connections // 2:
            # A request that has begun is ended only if all have: who sends none holds room as well.
            not_begun = (one for one in self._waiting if not one.has_begun)
            longest = next(not_begun, next(iter(self._waiting)))
            del self._waiting[longest]
            longest.end()
        else:
            slow.make_room()

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Wait for a connection's next request."""
        connection = self._connections[gevent.getcurrent()]
        self._waiting[connection] = None
        try:
            with connection.awaiting(self.cfg.keepalive):
                yield
        finally:
            self._waiting.pop(connection, None)

    def notify(self) -> None:
        """Tell the arbiter that all is well; once told to stop, end what is idle."""
        super().notify()
        if not self.alive:
            for connection in [one for one in self._waiting if not one.has_begun]:
                connection.end()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> bool:
        """Answer a request; the connection goes on only if its body is known to be at its end."""
        try:
            with sock.one_write():
                super().handle_request(listener_name, req, sock, addr)
        finally:
            is_read = _is_read(req.body) or _read_rest(req.body)
        if not is_read or sock.has_ended:
            raise StopIteration
        return True


def _is_read(body: Any) -> bool:
    """Say whether a body is known to be at its end, as most are, which then need no timer."""
    return getattr(body.reader, "length", None) == 0 and not body.buf.tell()


def _read_rest(body: Any) -> bool:
    """Take what a client still sends, so that it gets to see its answer; say whether it ended."""
    deadline = time.monotonic() + _LINGER_SECONDS
    left = _LINGER_BYTES
    try:
        with gevent.Timeout(_LINGER_SECONDS, False):
            while time.monotonic() < deadline and left > 0:
                piece = body.read(_PIECE)
                if not piece:
                    return True
                left -= len(piece)
                gevent.sleep(NEXT_LOOK)
    except (OSError, ParseException):
        return False
    return False
