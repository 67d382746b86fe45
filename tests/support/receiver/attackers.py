"""Attacks that go on for as long as they are let: `python -m tests.support.receiver.attackers`.

They send from a process of their own, so that a good sender beside them is not held up by them.
"""

import gzip
import http.client
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count

from landed.settings import ROOT
from tests.support.receiver.senders import WEB

_MB = 1 << 20
_AT_ONCE = 10
_PACKED = {"Content-Encoding": "gzip"}


def _long_id() -> bytes:
    """Return 16 kB of gzip: a broken body with one id of 16 MB."""
    return gzip.compress(b'{"type":"track","userId":"' + b"a" * (16 * _MB))


def _plain_long_id() -> bytes:
    """Return a broken body of 1 MB with one long id."""
    return b'{"type":"track","userId":"' + b"a" * _MB


def _empty_arrays() -> bytes:
    """Return 1 kB of gzip without a key: 1 MiB of broken JSON."""
    return gzip.compress(_plain_empty_arrays())


def _plain_empty_arrays() -> bytes:
    return (b'{"batch":[' + b"[]," * _MB)[:_MB]


def _bomb() -> bytes:
    """Return 67 kB of gzip: 64 MB that would land."""
    fill = b"x" * 32_000
    return gzip.compress(
        b'{"batch":[%b]}' % b",".join([b'{"type":"track","x":"%b"}' % fill] * 2000)
    )


def _shared() -> bytes:
    """Return a small batch of which 60 MB would land, as its events share a large field."""
    context = b'"context":{"x":"%b"}' % (b"x" * 6000)
    return b'{"batch":[%b],%b}' % (b",".join([b'{"type":"page"}'] * 10_000), context)


def _ordinary() -> bytes:
    """Return a batch of ordinary events: as many as are let in."""
    return gzip.compress(
        b'{"batch":[%b]}'
        % b",".join(b'{"type":"page","properties":{"n":%d}}' % n for n in range(2000))
    )


def _say_begun() -> None:
    """Tell `under_attack`, in one write: of two, those of threads are mixed up."""
    sys.stdout.write("begun\n")
    sys.stdout.flush()


def _keep_posting(
    path: str, bodies: list[bytes], headers: list[dict[str, str]], rate: float
) -> Callable[[int], None]:
    """Return what posts so often a second, some at once: it does not wait for all answers."""

    def post_some(port: int) -> None:
        for number in count():
            started = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            with suppress(OSError, http.client.HTTPException):
                which = number % len(bodies)
                connection.request("POST", path, bodies[which], headers[which])
                connection.getresponse().read()
            connection.close()
            if number == 0:
                _say_begun()
            time.sleep(max(0, _AT_ONCE / rate - (time.monotonic() - started)))

    def post(port: int) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(post_some, [port] * _AT_ONCE))

    return post


def _drip(every: float) -> Callable[[int], None]:
    """Return what holds 1,005 connections without a key, each of which brings a byte so often.

    Args:
        every: seconds; 0 for as often as can be.
    """

    def drip(port: int) -> None:
        selector = selectors.DefaultSelector()
        next_drip = 0.0
        for number in count():
            if number == 1:
                _say_begun()
            while len(selector.get_map()) < 1005:
                with suppress(OSError):
                    one = socket.create_connection(("127.0.0.1", port), timeout=5)
                    one.sendall(
                        b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{"
                    )
                    selector.register(one, selectors.EVENT_READ)
            for key, _ in selector.select(every):  # answered, or closed
                selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
            if time.monotonic() < next_drip:
                continue
            next_drip = time.monotonic() + every
            for key in list(selector.get_map().values()):
                with suppress(OSError):
                    key.fileobj.send(b" ")  # type: ignore[union-attr]

    return drip


def attacks() -> dict[str, Callable[[int], None]]:
    """Return each attack by its name: the row of the table in which it was found."""
    return {
        "long ids": _keep_posting(
            "/v1/track", [_long_id(), _plain_long_id()], [WEB | _PACKED, WEB], 5
        ),
        "no key": _keep_posting(
            "/v1/batch", [_empty_arrays(), _plain_empty_arrays()], [_PACKED, {}], 20
        ),
        "much from little": _keep_posting(
            "/v1/batch", [_bomb(), _shared(), _ordinary()], [WEB | _PACKED, WEB, WEB | _PACKED], 20
        ),
        "slow bodies": _drip(0.5),
        "crumbs": _drip(0),
    }


NAMES = ("long ids", "no key", "much from little", "slow bodies")
"""Those that are measured all at once as well."""


@contextmanager
def under_attack(port: int, *names: str) -> Iterator[None]:
    """Attack a receiver in a block."""
    command = [sys.executable, "-m", "tests.support.receiver.attackers", str(port)]
    running = [
        subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.PIPE) for name in names
    ]
    try:
        for one in running:
            assert one.stdout
            assert one.stdout.readline() == b"begun\n"
        yield
        assert [one.poll() for one in running] == [None] * len(names)
    finally:
        for one in running:
            one.kill()
            one.wait()


if __name__ == "__main__":
    attacks()[sys.argv[2]](int(sys.argv[1]))
