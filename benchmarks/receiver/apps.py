"""Two Flask applications under a server of one's choice.

`python -m benchmarks.receiver.apps bare|receiver gevent|gthread`: gunicorn with the receiver's very
settings, except for the kind of worker. granian takes `create_bare` itself.
"""

import sys

from flask import Flask, Response, request

from receiver.senders.sources import load_sources
from receiver.server.application import Server
from receiver.settings import Settings

THREADS = 16


def create_bare() -> Flask:
    """Create the yardstick: a handler that only reads the body."""
    app = Flask(__name__)

    @app.post("/v1/<call>")
    def read(call: str) -> Response:  # noqa: ARG001 - the same shape of path as the receiver's
        request.get_data(cache=False)
        return Response(b'{"success": true}', mimetype="application/json")

    return app


class ReceiverServer(Server):
    """The receiver, with another kind of worker."""

    worker_class = "gevent"

    def load_config(self) -> None:
        """Change the worker."""
        super().load_config()
        self.cfg.set("worker_class", self.worker_class)
        if self.worker_class == "gthread":
            self.cfg.set("threads", THREADS)


class BareServer(ReceiverServer):
    """The same with the bare handler in it."""

    def load_config(self) -> None:
        """Leave out the hook that needs a receiver's application."""
        super().load_config()
        self.cfg.set("worker_exit", self.cfg.settings["worker_exit"].default)

    def load(self) -> Flask:
        """Create a worker's application."""
        return create_bare()


def main() -> None:
    """Serve what the command line names."""
    application, ReceiverServer.worker_class = sys.argv[1:]
    server = {"bare": BareServer, "receiver": ReceiverServer}[application]
    settings = Settings()
    server(settings, load_sources(settings.sources)).run()


if __name__ == "__main__":
    main()
