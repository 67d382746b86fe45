"""A server of a test's own that notes what is posted to it, and answers as the test says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Listener:
    """What was posted, and what is answered.

    Attributes:
        url: where it listens.
        posted: the bodies, in their order.
        status: what it answers.
    """

    def __init__(self, url: str) -> None:
        """Note nothing yet."""
        self.url = url
        self.posted: list[Any] = []
        self.status = 200


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen on loopback for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.posted.append(json.loads(body))
            self.send_response(listener.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(f"http://127.0.0.1:{server.server_port}/hook?key=secret")
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield listener
        server.shutdown()
        thread.join()
