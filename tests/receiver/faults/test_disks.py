"""F06, F08, F09, F37: a disk that is full, read-only, gone or slow."""

import errno
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.faults.driver import (
    Driver,
    Sent,
    judge,
    make_event,
    make_events,
    post_events,
    post_until_promised,
    settle,
)
from tests.support.faults.failing_disk import fails_with
from tests.support.faults.report import Report
from tests.support.faults.shim import Shim
from tests.support.processes import eventually
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SEGMENT_GIVES_UP
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]
Start = Callable[..., Landing]


@pytest.fixture(
    params=[
        pytest.param("make_app", id="application"),
        pytest.param("start_receiver", id="started", marks=pytest.mark.chaos),
    ]
)
def start(request: pytest.FixtureRequest) -> Start:
    """What starts a receiver: in this process in short, in processes of its own in long."""
    started: Start = request.getfixturevalue(request.param)
    return started


# Root may write anywhere; without these two capabilities it is an owner like any other.
AS_ORDINARY_OWNER = """
import ctypes
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)()
ctypes.CDLL(None).capget(header, data)
for place in (0, 1):
    data[place] &= ~0b110
assert ctypes.CDLL(None).capset(header, data) == 0
"""


def mount(*arguments: str | Path) -> None:
    subprocess.run(["/bin/mount", *arguments], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The landing folder as a file system of 3 MB of its own."""
    if os.geteuid() != 0:
        pytest.skip("ONLY ROOT MAY MOUNT: a really full and a really read-only disk were not tried")
    landing = tmp_path / "landing"
    landing.mkdir()
    mount("-t", "tmpfs", "-o", "size=3m,mode=0700", "none", landing)
    yield landing
    subprocess.run(["/bin/umount", "-l", landing], check=True)


def ready(running: Landing) -> int:
    return running.get("/health/ready").status_code


def refused(sent: list[Sent]) -> list[Sent]:
    return [one for one in sent if one.status == 503]


def move_sealed(landing: Path, elsewhere: Path) -> None:
    """Make room, as the loader and the archive do."""
    for path in landing.glob("*/*.ndjson"):
        (elsewhere / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.move(path, elsewhere / path.parent.name / path.name)


def promises_with_room(driver: Driver, since: float, landing: Path, elsewhere: Path) -> bool:
    """Make room, and say whether anything was promised of what was sent since then."""
    move_sealed(landing, elsewhere)
    return driver.promised(since) > 0


def is_ready_with_room(running: Landing, landing: Path, elsewhere: Path) -> bool:
    """Make room for as long as what is still to be sealed fills the disk again."""
    move_sealed(landing, elsewhere)
    return ready(running) == 200


def test_a_full_disk_refuses_at_once_and_accepts_again_when_there_is_room(
    start: Start, small_disk: Path, tmp_path: Path, report: Report
) -> None:
    running = start(seal_seconds=0.3)
    driver = Driver(running, batch=6, size=3000)
    assert eventually(lambda: len(refused(driver.sent)) > 10)
    answer = running.post("/v1/track", "x" * 4000)
    not_ready = eventually(lambda: ready(running) == 503)
    elsewhere = tmp_path / "elsewhere"
    freed = time.monotonic()
    again = eventually(lambda: promises_with_room(driver, freed, small_disk, elsewhere))
    back_after = time.monotonic() - freed
    sent = driver.stop()
    is_ready = eventually(lambda: is_ready_with_room(running, small_disk, elsewhere))
    settle(running)
    move_sealed(small_disk, elsewhere)

    assert not_ready
    assert (answer.status_code, answer.json()["code"]) == (503, "disk_full")
    assert int(answer.headers["Retry-After"]) > 0
    assert again
    assert is_ready
    slowest = max(one.answered - one.sent for one in refused(sent))
    assert slowest < SEGMENT_GIVES_UP
    verdict = judge(elsewhere, sent)
    assert verdict.faults == {}
    assert not list(small_disk.glob("*/*.ndjson*"))
    assert not list(small_disk.glob("*/*.torn"))
    report.add(
        "F06",
        "disk full",
        refused=len(refused(sent)),
        promised=verdict.promised,
        lost=0,
        slowest_refusal=f"{slowest:.2f} s",
        back_after=f"{back_after:.1f} s",
    )


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_refuses_all_and_loses_nothing(
    make_app: Callable[..., Landing], monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    receiver = make_app(seal_seconds=0.3)
    driver = Driver(receiver, batch=4)
    assert driver.promises()
    with monkeypatch.context() as full:
        full.setattr(os, "write", fails_with(error))
        assert eventually(lambda: len(refused(driver.sent)) > 20)
        during = post_events(receiver, make_events(2))
        not_ready = ready(receiver)
    assert driver.promises()
    sent = driver.stop()
    settle(receiver)

    assert [one.status for one in during] == [503, 503]
    assert not_ready == 503
    assert judge(receiver.landing, sent + during).faults == {}


def test_a_disk_that_becomes_read_only_refuses_all_until_it_is_writable_again(
    start: Start, small_disk: Path
) -> None:
    running = start(seal_seconds=0.1)
    sent = post_events(running, make_events(3))
    assert eventually(lambda: not running.open_files())
    mount("-o", "remount,ro", small_disk)
    during = post_events(running, make_events(3))
    not_ready = ready(running)
    mount("-o", "remount,rw", small_disk)
    sent += post_until_promised(running)
    settle(running)

    assert [one.status for one in during] == [503] * 3
    assert not_ready == 503
    assert judge(small_disk, sent + during).faults == {}


def test_folders_that_may_not_be_written_to_refuse_and_open_files_are_sealed_afterwards(
    start_receiver: StartReceiver,
) -> None:
    running = start_receiver(AS_ORDINARY_OWNER, seal_seconds=0.3)
    sent = post_events(running, make_events(12))
    folders = [running.landing, *(path for path in running.landing.iterdir() if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    # A file that is open may still take events; it is closed to new ones once it cannot be sealed.
    during = post_events(running, make_events(12))
    not_ready = ready(running)
    assert eventually(lambda: bool(running.logged("not_sealed")))
    for folder in folders:
        folder.chmod(0o700)
    sent += post_until_promised(running)
    are_sealed = eventually(lambda: not running.open_files())
    settle(running)

    assert not_ready == 503
    assert {one.status for one in during} <= {200, 503}
    assert are_sealed
    assert judge(running.landing, sent + during).faults == {}


@pytest.mark.parametrize("is_deleted", [True, False], ids=["deleted", "moved away"])
def test_a_landing_folder_that_is_gone_is_never_acknowledged_into(
    start: Start, tmp_path: Path, *, is_deleted: bool
) -> None:
    running = start(seal_seconds=60)
    driver = Driver(running, batch=4)
    assert driver.promises(10)
    gone_at = time.monotonic()
    running.landing.rename(tmp_path / "gone")
    if is_deleted:
        shutil.rmtree(tmp_path / "gone")
    assert eventually(lambda: any(one.sent > gone_at for one in refused(list(driver.sent))))
    without = post_events(running, make_events(2))
    not_ready = ready(running)
    running.landing.mkdir(mode=0o700)
    assert driver.promises(20)
    sent = driver.stop()
    settle(running)

    assert [one.status for one in without] == [503, 503]
    assert not_ready == 503
    later = [one if one.sent > gone_at else one._replace(status=None) for one in sent]
    assert judge(running.landing, later).faults == {}


@pytest.mark.chaos
@pytest.mark.parametrize("seconds", [1, 2])
def test_a_slow_disk_answers_before_segment_gives_up_and_keeps_what_it_promised(
    start_receiver: StartReceiver, shim: Shim, report: Report, seconds: int
) -> None:
    """In short, `test_acknowledges.py` and `test_disk.py` say so."""
    running = start_receiver(seal_seconds=60, queue_events=20)
    first = post_events(running, [make_event(random.Random(), calls=["track"])])  # noqa: S311
    shim.control.sync_delay_ms = seconds * 1000
    driver = Driver(running, senders=40, calls=["track"])
    time.sleep(3.5 * seconds)
    sent = first + driver.stop()
    shim.control.sync_delay_ms = 0
    sent += post_until_promised(running)
    settle(running)

    slowest = max(one.answered - one.sent for one in sent)
    assert {one.status for one in sent} == {200, 503}
    assert slowest < SEGMENT_GIVES_UP
    verdict = judge(running.landing, sent)
    assert verdict.faults == {}
    report.add(
        "F37",
        f"every sync takes {seconds} s",
        promised=verdict.promised,
        refused=len(refused(sent)),
        lost=0,
        slowest_answer=f"{slowest:.1f} s",
    )
