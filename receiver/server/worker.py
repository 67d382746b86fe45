"""gunicorn's gevent worker, for clients that leave connections open, or go on sending.

gunicorn waits for the next request as long as it waits for one that has begun, and takes no new
connection while as many as it bears are open, idle ones too. It reads the rest of a refused body
to its end, and a client that sends fast enough never lets the other requests of the process have
a turn.
"""

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

_HEADER_SECONDS = 10.0
_SPARE_FILES = 128  # for what lands, and for connections that are being closed
_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 << 20
_PIECE = 1 << 20


class Connection:
    """A client's socket, and whether a request on it is waited for, or has begun."""

    def __init__(self, client: Any) -> None:
        """Take the socket."""
        self._client = client
        self._timeout: gevent.Timeout | None = None
        self.has_begun = False

    def __getattr__(self, name: str) -> Any:
        """Be the socket in everything else."""
        return getattr(self._client, name)

    def recv(self, *arguments: Any) -> bytes:
        """Receive; the first bytes of a request start the time that its header may take."""
        data: bytes = self._client.recv(*arguments)
        if self._timeout and not self.has_begun:
            self.has_begun = True
            self._timeout.close()
            self._timeout = gevent.Timeout.start_new(_HEADER_SECONDS)
        return data

    @contextmanager
    def awaiting(self, seconds: float) -> Iterator[None]:
        """Wait for a request and its header, and give up without an error."""
        self.has_begun = False
        self._timeout = gevent.Timeout.start_new(seconds)
        try:
            yield
        except gevent.Timeout as timeout:
            if timeout is not self._timeout:
                raise
        finally:
            self._timeout.close()
            self._timeout = None

    def end(self) -> None:
        """Let the one who waits see the end; what has arrived already is served and answered."""
        try:
            self._client.shutdown(socket.SHUT_RD)
        except OSError:  # it has ended by itself
            return


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
        """Serve a connection; if there are too many, the one that has waited longest ends."""
        own = gevent.getcurrent()
        connection = self._connections[own] = Connection(client)
        if len(self._connections) > self._most_connections and self._waiting:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.end()
        try:
            super().handle(listener, connection, addr)
        finally:
            del self._connections[own]

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
            super().handle_request(listener_name, req, sock, addr)
        finally:
            is_read = _read_rest(req.body)
        if not is_read:
            raise StopIteration
        return True


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
                gevent.sleep(0)
    except (OSError, ParseException):
        return False
    return False
