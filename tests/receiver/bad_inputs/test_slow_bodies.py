"""Bad inputs: bodies that come slowly, or not at all."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import repeat

import pytest

from receiver.server.connection import Connection
from tests.support.receiver.attack import KEY, bad_input
from tests.support.receiver.senders import WEB
from tests.support.receiver.server import RunningReceiver

FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (168, 168))"  # 40 connections


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningReceiver]:
    """A receiver of one worker that bears 40 connections."""
    running = RunningReceiver(tmp_path_factory.mktemp("narrow"), FEW, workers=1)
    yield running
    running.kill()


HEADS = {
    "without a key": b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    "with one": b"POST /v1/track HTTP/1.1\r\nHost: x\r\nAuthorization: "
    + WEB["Authorization"].encode()
    + b"\r\nContent-Length: 1000\r\n\r\n{",
}


@bad_input("B127", "bodies that come slowly, more than a worker bears", "429 for the longest of "
           "whoever has most of them, others unharmed")  # fmt: skip
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_slow_bodies_make_room_for_others(narrow: RunningReceiver, head: bytes) -> None:
    with ExitStack() as held:
        connections = []
        for _ in range(160):
            one = socket.create_connection(("127.0.0.1", narrow.port), timeout=30)
            connections.append(held.enter_context(one))
            one.sendall(head)
        for _ in range(5):
            assert narrow.post("/v1/track", "{}", headers=KEY).status_code == 200
        assert b" 429 " in connections[0].recv(4096).partition(b"\r\n")[0]


@bad_input("B128", "a client that goes on sending when its connection has to make room", "closed")
def test_who_goes_on_sending_does_not_keep_a_connection_that_was_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        there = socket.create_connection(server.getsockname())
        here, _ = server.accept()
    with here, there:
        connection = Connection(here)
        connection.end()
        connection._ends -= 1  # noqa: SLF001 - the time for what had arrived is over
        there.sendall(b"X")

        assert connection.recv(100) == b""
        assert connection.has_ended


def test_a_body_that_comes_slower_than_its_rate_is_ended_with_its_error() -> None:
    here, there = socket.socketpair()
    with here, there:
        connection = Connection(here)
        with connection.at_least(1000, TimeoutError("slow")):
            pace = connection._pace  # noqa: SLF001
            assert pace
            assert 10 <= pace.seconds_left() <= 20
            there.sendall(bytes(100_000))
            received = len(connection.recv(65536))
            assert pace.seconds_left() >= 9 + received / 1000
            pace._started -= 1000  # noqa: SLF001
            there.close()
            assert pace.seconds_left() == 0


class Pieces:
    """A client from whom pieces come without an end."""

    def __init__(self, piece: bytes) -> None:
        """Say what each of them is."""
        self.piece = piece

    def recv(self, _most: int) -> bytes:
        """Receive one."""
        return self.piece


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a connection is left alone, each time."""
    seconds: list[float] = []
    monkeypatch.setattr("receiver.server.connection.gevent.sleep", seconds.append)
    return seconds


@bad_input("B192", "a thousand connections whose requests come byte by byte, as fast as they can",
           "received five times a second each, so that others are answered")  # fmt: skip
def test_what_comes_in_crumbs_is_received_now_and_then(pauses: list[float]) -> None:
    """Each piece costs a turn of the loop; what comes in a pause is one, as it is in the kernel."""
    connection = Connection(Pieces(b"x"))

    with connection.awaiting(30):
        received = b"".join(connection.recv(8192) for _ in range(100))

    assert received == b"x" * 100
    assert pauses == [0.2] * 84


def test_a_body_in_crumbs_has_to_come_at_its_rate_as_well() -> None:
    """What has come during a pause is there at once, and its wait would never be too long."""
    connection = Connection(Pieces(b"x"))

    with connection.at_least(1000, TimeoutError("slow")):
        pace = connection._pace  # noqa: SLF001
        assert pace
        pace._started -= 1000  # noqa: SLF001

        with pytest.raises(TimeoutError, match="slow"):
            list(map(connection.recv, repeat(8192, 100)))


@pytest.mark.parametrize(("requests", "of_pieces", "piece"), [(1, 100, 1000), (20, 10, 1)])
def test_what_comes_as_it_usually_does_is_received_at_once(
    pauses: list[float], requests: int, of_pieces: int, piece: int
) -> None:
    connection = Connection(Pieces(b"x" * piece))

    for _ in range(requests):
        with connection.awaiting(30):
            for _ in range(of_pieces):
                connection.recv(8192)

    assert pauses == []
