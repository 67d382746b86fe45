"""Recovery: what a process that died has left is sealed by the next one."""

import fcntl
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.envelope import good_line, is_whole
from receiver.landed_file import LandedFile, file_names
from receiver.recovery import recover
from tests.support.receiver import Load, RunningReceiver, landed_ids, new_id, whole_lines


def line(number: int) -> bytes:
    return good_line(f"id-{number}", "2026-11-22T00:00:00.000000Z", None, "web", b'{"n":[1]}')


def orphan(landing: Path, data: bytes, name: str = "a.ndjson.open") -> Path:
    folder = landing / "track"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def files(landing: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (landing / "track").iterdir()}


def test_whole_lines_are_sealed(tmp_path: Path) -> None:
    orphan(tmp_path, line(1) + line(2))

    (recovered,) = recover(tmp_path)

    assert files(tmp_path) == {"a.ndjson": line(1) + line(2)}
    assert (recovered.name, recovered.torn) == ("a.ndjson", 0)


def test_a_file_cut_anywhere_in_its_last_line_keeps_the_others(tmp_path: Path) -> None:
    whole = line(1) + line(2)
    for cut in range(1, len(line(3))):
        landing = tmp_path / str(cut)
        landing.mkdir()
        orphan(landing, whole + line(3)[:cut])

        recover(landing)

        assert files(landing) == {"a.ndjson": whole, "a.ndjson.torn": line(3)[:cut]}


@pytest.mark.parametrize(
    "tail", [b"\0" * 4096, b"\n", b"\n\n\n", b"\0\n" * 10, line(3)[:-2] + b"\n"]
)
def test_an_end_that_is_no_line_is_torn_off(tmp_path: Path, tail: bytes) -> None:
    orphan(tmp_path, line(1) + tail)

    recover(tmp_path)

    assert files(tmp_path) == {"a.ndjson": line(1), "a.ndjson.torn": tail}


def test_a_damaged_line_in_the_middle_stays_for_the_loader(tmp_path: Path) -> None:
    data = line(1) + line(2).replace(b"id-2", b"id-X") + line(3)
    orphan(tmp_path, data)

    recover(tmp_path)

    assert files(tmp_path) == {"a.ndjson": data}


@pytest.mark.parametrize(("data", "left"), [(b"", {}), (b"torn", {"a.ndjson.torn": b"torn"})])
def test_a_file_without_a_whole_line_goes(
    tmp_path: Path, data: bytes, left: dict[str, bytes]
) -> None:
    orphan(tmp_path, data)

    recover(tmp_path)

    assert files(tmp_path) == left


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    path = orphan(tmp_path, line(1) + b"half")
    with path.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)

        assert recover(tmp_path) == []

    assert files(tmp_path) == {path.name: line(1) + b"half"}


def test_a_planted_link_is_left_alone_and_named(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(line(1))
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "a.ndjson.open").symlink_to(target)

    (outcome,) = recover(tmp_path)

    assert outcome.problem
    assert target.read_bytes() == line(1)


def test_a_new_file_that_is_taken_for_an_orphan_is_not_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process recovers between the creation of a file and its lock."""
    real, opened = fcntl.flock, []

    def late_lock(descriptor: int, operation: int) -> None:
        if not opened:
            opened.append(descriptor)
            recover(tmp_path)
        real(descriptor, operation)

    (tmp_path / "track").mkdir()
    monkeypatch.setattr(fcntl, "flock", late_lock)
    file = LandedFile.create(tmp_path / "track", file_names())

    assert opened
    assert file.has_name()
    assert [path.name for path in (tmp_path / "track").iterdir()] == [file.path.name]


def test_recovering_twice_at_once_is_recovering_once(tmp_path: Path) -> None:
    for number in range(50):
        orphan(tmp_path, line(number) + b"torn", f"{number}.ndjson.open")
    child = os.fork()
    if child == 0:
        recover(tmp_path)
        os._exit(0)
    recover(tmp_path)
    os.waitpid(child, 0)

    assert sorted(whole_lines(tmp_path)) == sorted(map(line, range(50)))
    assert len(files(tmp_path)) == 100


def test_killing_workers_under_load_loses_nothing_acknowledged(
    start_receiver: Callable[..., RunningReceiver],
) -> None:
    running = start_receiver(seal_seconds=0.5)
    load = Load(running)
    for _ in range(3):
        time.sleep(random.uniform(0.3, 0.6))  # noqa: S311
        os.kill(random.choice(running.workers()), signal.SIGKILL)  # noqa: S311
    time.sleep(1)
    alive_after = running.post("/v1/track", f'{{"messageId":"{new_id()}"}}')
    acknowledged = load.stop()
    running.stop()

    assert alive_after.status_code == 200
    assert len(acknowledged) > 20
    assert acknowledged - landed_ids(running.landing) == set()
    assert running.open_files() == []
    for path in running.landing.glob("*/*.ndjson"):
        assert all(map(is_whole, path.read_bytes().splitlines(keepends=True)))


def test_what_a_killed_receiver_left_is_sealed_at_the_next_start(
    start_receiver: Callable[..., RunningReceiver],
) -> None:
    first = start_receiver(seal_seconds=60)
    message_id = new_id()
    first.post("/v1/track", f'{{"messageId":"{message_id}"}}')
    first.kill()
    left = first.open_files()

    second = start_receiver(seal_seconds=60)

    assert left
    assert second.open_files() == []
    assert message_id in landed_ids(second.landing)
