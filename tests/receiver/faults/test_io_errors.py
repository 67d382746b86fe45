"""F05: any operation on the disk may fail, and no answer is ever a lie because of it."""

import errno
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.committer import EXIT_AFTER_IO_ERROR
from tests.support.fault_cuts import losses
from tests.support.fault_driver import (
    Sent,
    judge,
    make_events,
    post_events,
    post_until_promised,
    settle,
)
from tests.support.fault_report import Report
from tests.support.fault_shim import FDATASYNC, FTRUNCATE, RENAME, WRITE, Shim
from tests.support.receiver import RunningReceiver, eventually

StartReceiver = Callable[..., RunningReceiver]

CHAOS = [pytest.mark.chaos, pytest.mark.timeout(900)]
EVERY = range(1, 1000)
ERRORS = pytest.mark.parametrize(
    "error", [pytest.param(number, id=errno.errorcode[number]) for number in (5, 28)]
)


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


@ERRORS
@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(random.Random(5).sample(range(1, 21), 3), id="short"),  # noqa: S311
        pytest.param(EVERY, id="long", marks=CHAOS),
    ],
)
def test_whichever_operation_fails_no_promise_is_broken(
    start_receiver: StartReceiver,
    shim: Shim,
    tmp_path: Path,
    report: Report,
    error: int,
    numbers: range,
) -> None:
    running = start_receiver(seal_seconds=0.2, workers=1)
    sent: list[Sent] = []
    injected = 0
    for number in numbers:
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
    assert losses(shim, sent, tmp_path, count=20)[1] == []
    name = errno.errorcode[error]
    figures = {"errors": injected, "workers_ended": len(exits(running))}
    report.add("F05", f"N-th operation fails, {name}", **figures, lost=0)
    assert injected >= 3


@ERRORS
@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(random.Random(6).sample(range(1, 25), 2), id="short"),  # noqa: S311
        pytest.param(EVERY, id="long", marks=CHAOS),
    ],
)
def test_whichever_operation_of_the_start_fails_nothing_that_was_left_is_lost(
    start_receiver: StartReceiver, shim: Shim, report: Report, error: int, numbers: range
) -> None:
    sent: list[Sent] = []
    injected = refused = 0
    running = start_receiver(seal_seconds=60, workers=1)
    for number in numbers:
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


def test_a_file_that_could_not_be_recovered_is_tried_again_without_a_restart(
    start_receiver: StartReceiver, shim: Shim
) -> None:
    first = start_receiver(seal_seconds=60, workers=1)
    sent = post_events(first, make_events(1))
    first.kill()
    shim.arm(errno.EIO, 2, RENAME)  # the first renaming is the probe's, the second is recovery's

    second = start_receiver("import receiver; receiver.RECOVER_SECONDS = 1.0", workers=1)

    assert shim.disarm() == 1
    assert eventually(lambda: is_sealed(second))
    assert judge(second.landing, sent).faults == {}


def test_a_descriptor_whose_sync_failed_is_never_synced_again(
    start_receiver: StartReceiver, shim: Shim
) -> None:
    running = start_receiver(seal_seconds=60, workers=1)
    (worker,) = running.workers()
    sent = post_events(running, make_events(5))
    shim.arm(errno.EIO, 1, FDATASYNC)
    refused = post_events(running, make_events(1))

    assert [one.status for one in refused] == [503]
    assert eventually(lambda: running.workers() not in ([], [worker]))
    assert exits(running) == [EXIT_AFTER_IO_ERROR]
    assert shim.disarm() == 1
    assert shim.control.synced_again == 0
    sent += post_until_promised(running)
    assert running.stop() == 0
    assert judge(running.landing, sent + refused).faults == {}


def test_a_short_write_is_finished(start_receiver: StartReceiver, shim: Shim) -> None:
    running = start_receiver(workers=1)
    shim.control.writes, shim.control.short_at = 0, 1

    sent = post_events(running, make_events(1, size=5000))

    assert shim.control.writes == 2
    assert [one.status for one in sent] == [200]
    settle(running)
    assert judge(running.landing, sent).faults == {}


def test_a_disk_that_fills_up_in_the_middle_of_a_line_keeps_no_half_of_it(
    start_receiver: StartReceiver, shim: Shim
) -> None:
    running = start_receiver(seal_seconds=60, workers=1)
    sent = post_events(running, make_events(1))
    (path,) = running.open_files()
    before = path.read_bytes()
    shim.control.writes, shim.control.short_at = 0, 1
    shim.arm(errno.ENOSPC, 2, WRITE)
    refused = post_events(running, [make_events(1)[0]._replace(call=path.parent.name)])

    assert shim.disarm() == 1
    assert [one.status for one in refused] == [503]
    assert b"".join(file.read_bytes() for file in running.open_files()) == before
    sent += post_until_promised(running)
    settle(running)
    assert judge(running.landing, sent + refused).faults == {}


def test_a_half_line_that_cannot_be_taken_back_ends_the_process(
    start_receiver: StartReceiver, shim: Shim
) -> None:
    running = start_receiver(seal_seconds=60, workers=1)
    shim.control.writes, shim.control.short_at = 0, 1
    shim.arm(errno.ENOSPC, 2, WRITE | FTRUNCATE, sticky=True)
    refused = post_events(running, make_events(1))

    assert [one.status for one in refused] == [503]
    assert eventually(lambda: exits(running) == [EXIT_AFTER_IO_ERROR])
    shim.disarm()
    sent = post_until_promised(running)
    settle(running)
    assert judge(running.landing, sent + refused).faults == {}
    assert len(list(running.landing.glob("*/*.torn"))) == 1
