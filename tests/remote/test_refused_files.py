"""A file that the store does not take stops none of the others."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from landed import object_store
from landed.buckets import PATIENT, Patience
from landed.object_store import A_TIMES_BYTES, Store, StoreError
from receiver.files.direct import DirectObjects
from receiver.shipping import ship
from receiver.shipping.process import LOOK_SECONDS, Shipping
from receiver.shipping.ship import AT_ONCE, SealedFiles
from tests.remote.machines import Receiver
from tests.support.memory_store import MemoryBucket

FILES = 3 * AT_ONCE


@pytest.fixture
def receiver(tmp_path: Path) -> Receiver:
    """A machine that receives."""
    return Receiver(tmp_path, "s3://memory/in")


def refuse(memory: MemoryBucket, paths: list[Path]) -> None:
    """Have requests for some files run out of time."""
    names = {path.name for path in paths}

    def run_out(path: str) -> None:
        if path.rpartition("/")[2] in names:
            raise OSError("operation timed out")

    memory.before_put = run_out


@pytest.mark.parametrize("bad", [1, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 1])
def test_the_oldest_ones_that_are_not_taken_stop_nothing(
    memory: MemoryBucket, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    paths = sorted(receiver.land(number) for number in range(FILES))
    page = receiver.land(FILES, call="page")
    refuse(memory, paths[:bad])
    monkeypatch.setattr(ship, "_TRY_AGAIN_SECONDS", 0.0)
    sealed = SealedFiles(receiver.landing, Store(receiver.address))

    with structlog.testing.capture_logs():
        for _ in range(bad):
            try:
                sealed.ship()
            except StoreError as error:
                assert "timed out" in error.message  # noqa: PT017 - some passes may end so
    assert receiver.left() == sorted(path.name for path in paths[:bad])
    assert not page.exists()

    refuse(memory, [])
    sealed.ship()
    assert receiver.left() == []


def test_an_address_that_knows_nothing_is_a_store_that_fails(
    memory: MemoryBucket, receiver: Receiver
) -> None:
    def miss(_: str) -> None:
        raise FileNotFoundError("Object at location in/x not found: 404 Not Found")

    memory.before_put = miss
    receiver.land(1)

    with pytest.raises(StoreError, match=r"SEAMLINE_LANDING_REMOTE.*not found"):
        receiver.ship()
    with pytest.raises(StoreError):
        Store(receiver.address).put("a", b"")
    problem = DirectObjects(receiver.address, 1).commit({"track": [b"{}\n"]})
    assert problem is not None
    assert len(receiver.left()) == 1


def test_what_is_not_taken_while_others_are_is_left_out_for_a_while(
    memory: MemoryBucket, receiver: Receiver
) -> None:
    bad, _ = sorted(receiver.land(number) for number in range(2))
    refuse(memory, [bad])
    sealed = SealedFiles(receiver.landing, Store(receiver.address))

    with structlog.testing.capture_logs() as logged:
        assert sealed.ship() == 1
        asked = len(memory.asked)
        assert sealed.ship() == 0

    assert len(memory.asked) == asked
    (line,) = logged
    assert "timed out; it is tried again" in line["problem"]


def io_error_at(path: Path, real: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stand-in for a function that a disk does not do for one path."""

    def call(given: Any, *arguments: Any, **more: Any) -> Any:
        if Path(given) == path:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(given, *arguments, **more)

    return call


@pytest.mark.parametrize("failing", [("stat",), ("stat", "open"), ("open",)], ids="-".join)
def test_a_file_that_this_disk_does_not_give_stops_no_other(
    memory: MemoryBucket, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, failing: list[str]
) -> None:
    bad, _ = sorted(receiver.land(number) for number in range(2))
    receiver.land(2, call="page")
    for name in failing:
        monkeypatch.setattr(Path, name, io_error_at(bad, getattr(Path, name)))
    sealed = SealedFiles(receiver.landing, Store(receiver.address))

    with structlog.testing.capture_logs() as logged:
        sealed.ship()

    is_there = "open" in failing
    assert receiver.left() == [bad.name] * is_there
    assert len(memory.keys()) == 3 - is_there
    assert [line["problem"] for line in logged] == [
        f"{bad}: Input/output error; it is tried again"
    ] * is_there


@pytest.mark.usefixtures("memory")
def test_a_folder_that_this_disk_does_not_list_stops_no_other(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    track, page = receiver.land(0), receiver.land(1, call="page")
    sealed = SealedFiles(receiver.landing, Store(receiver.address))
    with monkeypatch.context() as broken, structlog.testing.capture_logs() as logged:
        broken.setattr(os, "scandir", io_error_at(page.parent, os.scandir))

        assert [sealed.ship(), sealed.ship()] == [1, 0]

    assert not track.exists()
    assert page.exists()
    (line,) = logged
    assert line["problem"] == f"{page.parent}: Input/output error; it is tried again"


def test_another_file_of_a_name_that_cannot_be_put_aside_stops_no_other(
    memory: MemoryBucket, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = sorted(receiver.land(number) for number in range(2))
    memory.put(f"in/waiting/track/{bad.name}", b"others")
    monkeypatch.setattr(os, "link", io_error_at(bad, os.link))

    with structlog.testing.capture_logs():
        assert SealedFiles(receiver.landing, Store(receiver.address)).ship() == 1

    assert receiver.left() == [bad.name]


def test_counts_that_do_not_go_hold_up_no_event(memory: MemoryBucket, receiver: Receiver) -> None:
    (receiver.landing / "not_stored").mkdir()
    (receiver.landing / "not_stored" / "2026-11-28.json").write_bytes(b"{}")
    paused: list[float] = []

    def refuse_counts(path: str) -> None:
        if "not_stored" in path:
            raise OSError("403 Forbidden")

    def sleep(seconds: float) -> None:
        paused.append(seconds)
        assert receiver.left() == []
        if len(paused) == 3:
            raise KeyboardInterrupt
        receiver.land(len(paused))

    memory.before_put = refuse_counts
    receiver.land(0)
    with structlog.testing.capture_logs() as logged, pytest.raises(KeyboardInterrupt):
        Shipping(receiver.landing, Store(receiver.address), sleep).run(once=False)

    assert paused == [LOOK_SECONDS] * 3
    assert len([one for one in memory.keys() if "waiting" in one]) == 3  # noqa: SIM118 - no dict
    (problem,) = [line for line in logged if line["log_level"] != "info"]
    assert (problem["event"], problem["what"]) == ("not_exchanged", "counts")
    assert "403 Forbidden" in problem["problem"]


def test_of_a_store_that_takes_nothing_no_more_is_asked_than_a_few(
    memory: MemoryBucket, receiver: Receiver
) -> None:
    refuse(memory, [receiver.land(number) for number in range(FILES)])

    with pytest.raises(StoreError, match="timed out"):
        receiver.ship()
    assert len(memory.asked) == AT_ONCE
    assert len(receiver.left()) == FILES


def test_large_files_go_alone(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [receiver.land(number) for number in range(4)]
    monkeypatch.setattr(ship, "A_TIMES_BYTES", 3 * paths[0].stat().st_size - 1)
    assert list(map(len, ship.in_groups(paths))) == [2, 2]
    paths[0].write_bytes(b"x" * 10_000)
    assert list(map(len, ship.in_groups(paths))) == [1, 2, 1]


def test_a_large_object_has_more_time_unless_an_answer_waits_for_it(
    memory: MemoryBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[float] = []
    open_bucket = object_store.open_bucket

    def note(bucket: str, patience: Patience) -> object_store.ObjectStore:
        opened.append(patience.seconds)
        return open_bucket(bucket, patience)

    monkeypatch.setattr(object_store, "open_bucket", note)
    Store("s3://memory/in").put_new("a", bytes(A_TIMES_BYTES))
    assert opened == [PATIENT.seconds]
    Store("s3://memory/in").put_new("b", bytes(3 * A_TIMES_BYTES))
    assert opened[1:] == [PATIENT.seconds, 4 * PATIENT.seconds]
    Store("s3://memory/in", Patience(1, 0, 1)).put_new("c", bytes(2 * A_TIMES_BYTES))
    assert opened[3:] == [1]
    assert len(memory.keys()) == 3
