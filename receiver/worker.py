"""gunicorn's gevent worker, for clients that go on sending after they were refused.

gunicorn reads the rest of a refused body to its end, and a client that sends fast enough never
lets the other requests of the process have a turn.
"""

import time
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

_LINGER_SECONDS = 2.0
_LINGER_BYTES = 64 << 20
_PIECE = 1 << 20


class Worker(GeventWorker):  # type: ignore[misc]
    """Ends a connection whose request was answered before its body was read."""

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
