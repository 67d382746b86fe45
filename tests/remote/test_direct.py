"""A machine without a disk: an event is in the store before it is answered, or it is sent again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from receiver.errors import StartError
from receiver.files.direct import refuse_unusable_store
from receiver.settings import Settings
from tests.remote.machines import Loader, Machines, send
from tests.support.object_store import GOES_ON, FailingStore
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.server import RunningReceiver

pytestmark = pytest.mark.scale

Make = Callable[..., AppReceiver]


@pytest.fixture
def direct(machines: Machines, tmp_path: Path) -> Iterator[Make]:
    """Make receivers without a disk."""
    made = []

    def make(**settings: Any) -> AppReceiver:
        folder = tmp_path / f"direct-{len(made)}"
        folder.mkdir()
        made.append(
            AppReceiver(folder, landing_direct=True, landing_remote=machines.address, **settings)
        )
        return made[-1]

    yield make
    for one in made:
        one.kill()


def test_what_is_answered_is_in_the_store_and_nowhere_else(
    machines: Machines, loader: Loader, direct: Make
) -> None:
    receiver = direct()

    assert send(receiver, 0, 1).status_code == 200
    assert receiver.post("/v1/identify", '{"messageId":"i","userId":"u"}').status_code == 200
    assert receiver.post("/v1/track", b'{"broken').status_code in {200, 400}

    assert len(machines.keys("waiting/track")) == 1
    assert len(machines.keys("waiting/identify")) == 1
    assert list(receiver.landing.glob("*/*.ndjson*")) == []
    loader.whole_pass()
    assert loader.messages() == machines.once(range(2))
    assert loader.problems() == []


def test_a_store_that_fails_is_answered_503_and_what_is_sent_again_is_there_once(
    machines: Machines, loader: Loader, direct: Make, failing: FailingStore
) -> None:
    receiver = direct(commit_seconds=1)
    failing.fault = lambda method, _path: "503" if method == "PUT" else GOES_ON

    refused = send(receiver, 0)
    assert (refused.status_code, refused.json()["code"]) == (503, "store_fails")
    assert int(refused.headers["Retry-After"]) > 0
    (said,) = receiver.logged("not_landed")
    assert "SEAMLINE_LANDING_REMOTE" in said["problem"]
    assert "503" in said["problem"]

    failing.fault = lambda _method, _path: GOES_ON
    _until_answered(receiver, 0)
    loader.whole_pass()
    assert loader.messages() == machines.once(range(1))


def test_an_answer_of_the_store_that_is_lost_loses_no_event(
    loader: Loader, direct: Make, failing: FailingStore
) -> None:
    receiver = direct(commit_seconds=1)
    lost: list[str] = []

    def fault(method: str, path: str) -> str:
        if method == "PUT" and len(lost) < 3:
            lost.append(path)
            return "answer lost"
        return GOES_ON

    failing.fault = fault
    _until_answered(receiver, 0)

    assert len(lost) == 3
    loader.whole_pass()
    assert set(loader.messages()) == {"m0"}


def test_a_store_that_hangs_is_answered_in_time(direct: Make, failing: FailingStore) -> None:
    receiver = direct(commit_seconds=0.5)
    failing.fault = lambda method, _path: "late" if method == "PUT" else GOES_ON
    failing.late = 5

    began = time.monotonic()
    refused = send(receiver, 0)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    assert time.monotonic() - began < 4


def test_a_started_receiver_that_is_killed_has_lost_nothing_it_has_answered(
    machines: Machines, loader: Loader, tmp_path: Path
) -> None:
    receiver = RunningReceiver(
        tmp_path, landing_direct=True, landing_remote=machines.address, workers=2
    )
    answers = [send(receiver, number).status_code for number in range(20)]
    receiver.kill()

    assert answers == [200] * 20
    loader.whole_pass()
    assert loader.messages() == machines.once(range(20))


@pytest.mark.parametrize(
    ("address", "said"),
    [(None, "SEAMLINE_LANDING_REMOTE"), ("s3://no-such-bucket/x", "there is no such bucket")],
)
@pytest.mark.usefixtures("bucket")
def test_a_store_that_can_never_be_used_is_refused_at_the_start(
    address: str | None, said: str
) -> None:
    with pytest.raises(StartError, match=said):
        refuse_unusable_store(Settings(_env_file=None, landing_direct=True, landing_remote=address))


def _until_answered(receiver: AppReceiver, number: int) -> None:
    deadline = time.monotonic() + 30
    while send(receiver, number).status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
