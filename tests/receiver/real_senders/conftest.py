"""The receiver's application in this process, for questions of HTTP that need no server."""

from collections.abc import Callable

import pytest

from tests.support.receiver.app import AppReceiver
from tests.support.receiver.in_process import InProcess


@pytest.fixture
def inside(make_app: Callable[..., AppReceiver]) -> InProcess:
    """An application of a test's own, which believes a proxy on this machine."""
    receiver = make_app(trusted_proxies="127.0.0.1")
    return InProcess(receiver.app, receiver.landing)
