"""F05: any operation on the disk may fail, and no answer is ever a lie because of it."""

import errno
import random
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from receiver.files.committer import EXIT_AFTER_IO_ERROR
from receiver.files.recovery import recover
from tests.support.faults.driver import (
    Sent,
    judge,
    make_events,
    post_events,
    post_until_promised,
    settle,
)
from tests.support.faults.failing_disk import FailingDisk, Process, refuses_to_start
from tests.support.faults.power_cut import losses
from tests.support.faults.report import Report
from tests.support.faults.shim import FDATASYNC, FTRUNCATE, WRITE, Shim
from tests.support.processes import eventually
from tests.support.receiver.landing import landed_ids
from tests.support.receiver.server import RunningReceiver

StartReceiver = Callable[..., RunningReceiver]

CHAOS = [pytest.mark.chaos, pytest.mark.timeout(900)]
ERRORS = pytest.mark.parametrize(
    "error", [pytest.param(number, id=errno.errorcode[number]) for number in (5, 28)]
)


@ERRORS
def test_whichever_operation_fails_no_promise_of_a_committer_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    disk = FailingDisk(monkeypatch)
    for number in count(1):
        landing = tmp_path / str(number)
        process = Process(landing)
        ids = [process.promises("track")]
        with disk.failing(error, number):
            ids += [process.promises(call) for call in ("track", "page", "track")]
            process.end()
        assert None not in ids[:1]
        recover(landing)

        assert {one for one in ids if one} <= landed_ids(landing)
        assert not list(landing.glob("*/*.open"))
        if not disk.has_failed:
            assert None not in ids
            break
    assert number > 10


@ERRORS
def test_whichever_operation_of_a_start_fails_nothing_that_was_left_is_lost_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    disk = FailingDisk(monkeypatch)
    refused = 0
    for number in count(1):
        landing = tmp_path / str(number)
        left = Process(landing)
        ids = {left.promises("track"), left.promises("page")}
        left.die(b"half a line")
        with disk.failing(error, number):
            refused += refuses_to_start(landing)
        assert not refuses_to_start(landing)

        assert ids == landed_ids(landing)
        assert not list(landing.glob("*/*.open"))
        if not disk.has_failed:
            break
    assert number > refused > 3


def exits(running: RunningReceiver) -> list[int]:
    """Return the codes that workers ended with."""
    return list(map(int, re.findall(r"exited with code (\d+)", running.log.read_text())))


def is_sealed(running: RunningReceiver) -> bool:
    return not running.open_files()


def fail_one(running: RunningReceiver, shim: Shim, error: int, number: int) -> list[Sent]:
    """Let one operation of a small load fail; return what was sent, down to the first success."""
    shim.arm(error, number)
    sent = post_events(running, make_events(6))
    eventually(lambda: is_sealed(running), 2)
    shim.disarm()
    sent += post_until_promised(running)
    assert eventually(lambda: is_sealed(running))
    return sent


@pytest.mark.parametrize(
    "places", [pytest.param(1, id="short"), pytest.param(None, id="long", marks=CHAOS)]
)
def test_whichever_operation_of_a_started_receiver_fails_no_promise_is_broken(
    start_receiver: StartReceiver,
    shim: Shim,
    tmp_path: Path,
    report: Report,
    chance: random.Random,
    places: int | None,
) -> None:
    """At one place, that chance chooses, or at all there are."""
    running = start_receiver(seal_seconds=0.2)
    sent: list[Sent] = []
    injected = 0
    errors = [errno.EIO, errno.ENOSPC]
    for error in [chance.choice(errors)] if places else errors:
        for number in [chance.randint(1, 12)] if places else count(1):
            sent += fail_one(running, shim, error, number)
            injected += shim.control.injected
            if not shim.control.injected:
                break
    assert running.stop() == 0

    verdict = judge(running.landing, sent)
    assert verdict.faults == {}
    assert {one.status for one in sent if not one.promised} <= {503, None}
    assert shim.control.synced_again == 0
    assert set(exits(running)) <= {EXIT_AFTER_IO_ERROR}
    assert losses(shim, sent, tmp_path, count=20 if places is None else 3)[1] == []
    figures = {"errors": injected, "workers_ended": len(exits(running))}
    report.add("F05", "N-th operation fails", **figures, lost=0)
    assert injected >= (places or 20)


@pytest.mark.chaos
@pytest.mark.timeout(900)
@ERRORS
def test_whichever_operation_of_the_start_fails_nothing_that_was_left_is_lost(
    start_receiver: StartReceiver, shim: Shim, report: Report, error: int
) -> None:
    sent: list[Sent] = []
    injected = refused = 0
    running = start_receiver(seal_seconds=60, workers=1)
    for number in count(1):
        sent += post_events(running, make_events(3))
        running.kill()
        shim.arm(error, number)
        try:
            running = start_receiver(seal_seconds=60, workers=1)
        except pytest.fail.Exception:
            refused += 1
        shim.disarm()
        if running.process.poll() is not None:
            running = start_receiver(seal_seconds=60, workers=1)
        injected += shim.control.injected
        if not shim.control.injected:
            break
    sent += post_events(running, make_events(3))
    assert running.stop() == 0

    assert judge(running.landing, sent).faults == {}
    assert shim.control.synced_again == 0
    name = errno.errorcode[error]
    report.add(
        "F05", f"N-th operation of a start fails, {name}", errors=injected, refused=refused, lost=0
    )
    assert injected >= 2


@pytest.fixture(scope="module")
def faulty(module_shim: Shim) -> Iterator[RunningReceiver]:
    """A receiver on a disk that fails now and then; in the end, all that was promised is there."""
    running = RunningReceiver(
        module_shim.folder, environment=module_shim.environment, seal_seconds=60
    )
    yield running
    running.kill()


def must_be_there(running: RunningReceiver, sent: list[Sent]) -> None:
    """Fail unless what was promised is on the disk, in whole lines."""
    assert {one.message_id for one in sent if one.promised} <= landed_ids(running.landing)


def test_a_descriptor_whose_sync_failed_is_never_synced_again(
    faulty: RunningReceiver, module_shim: Shim
) -> None:
    (worker,) = faulty.workers()
    before = len(exits(faulty))
    sent = post_events(faulty, make_events(5))
    module_shim.arm(errno.EIO, 1, FDATASYNC)
    refused = post_events(faulty, make_events(1))

    assert [one.status for one in refused] == [503]
    assert eventually(lambda: faulty.workers() not in ([], [worker]))
    assert exits(faulty)[before:] == [EXIT_AFTER_IO_ERROR]
    assert module_shim.disarm() == 1
    assert module_shim.control.synced_again == 0
    must_be_there(faulty, sent + post_until_promised(faulty))


def test_a_short_write_is_finished(faulty: RunningReceiver, module_shim: Shim) -> None:
    must_be_there(faulty, post_until_promised(faulty))
    module_shim.control.writes, module_shim.control.short_at = 0, 1

    sent = post_events(faulty, make_events(1, size=5000))

    assert module_shim.control.writes == 2
    assert [one.status for one in sent] == [200]
    must_be_there(faulty, sent)


def test_a_disk_that_fills_up_in_the_middle_of_a_line_keeps_no_half_of_it(
    faulty: RunningReceiver, module_shim: Shim
) -> None:
    sent = post_until_promised(faulty)
    (path, *_) = faulty.open_files()
    before = {file: file.read_bytes() for file in faulty.open_files()}
    module_shim.control.writes, module_shim.control.short_at = 0, 1
    module_shim.arm(errno.ENOSPC, 2, WRITE)
    refused = post_events(faulty, [make_events(1)[0]._replace(call=path.parent.name)])

    assert module_shim.disarm() == 1
    assert [one.status for one in refused] == [503]
    assert {file: file.read_bytes() for file in faulty.open_files()} == before
    must_be_there(faulty, sent + post_until_promised(faulty))


def test_a_half_line_that_cannot_be_taken_back_ends_the_process(
    faulty: RunningReceiver, module_shim: Shim
) -> None:
    sent = post_until_promised(faulty)
    torn, before = len(list(faulty.landing.glob("*/*.torn"))), len(exits(faulty))
    module_shim.control.writes, module_shim.control.short_at = 0, 1
    module_shim.arm(errno.ENOSPC, 2, WRITE | FTRUNCATE, sticky=True)
    refused = post_events(faulty, make_events(1))

    assert [one.status for one in refused] == [503]
    assert eventually(lambda: exits(faulty)[before:] == [EXIT_AFTER_IO_ERROR])
    module_shim.disarm()
    sent += post_until_promised(faulty)
    settle(faulty)
    assert judge(faulty.landing, []).damaged == []
    must_be_there(faulty, sent)
    assert len(list(faulty.landing.glob("*/*.torn"))) == torn + 1
