"""A port of this machine for a server that is measured."""

import socket


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port
