"""What tests of real processes need: a port, an environment, and patience."""

import os
import socket
import sys
import time
from collections.abc import Callable

_RESERVED: list[socket.socket] = []


def free_port() -> int:
    """Return a port that nobody else gets: it stays bound here, and never listens.

    Servers may listen on it all the same, as they all set SO_REUSEADDR, and connections find
    nobody there before. Only on Linux; elsewhere another process may be quicker.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    if sys.platform == "linux":
        _RESERVED.append(reserved)
    else:
        reserved.close()
    return port


def eventually(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until something holds; say whether it came to that."""
    deadline = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def plain_environment() -> dict[str, str]:
    """Return this process's environment without settings of the house the tests run in."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEAMLINE_", "DAGSTER_"))
    }
