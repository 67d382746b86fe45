"""Recovery: what a process that died has left is sealed by the next one."""

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.files.envelope import good_line
from receiver.files.landed_file import LandedFile, file_names
from receiver.files.recovery import recover
from tests.support.faults.failing_disk import fails_with
from tests.support.processes import eventually
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.landing import whole_lines


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


def test_what_a_killed_receiver_left_is_sealed_at_the_next_start(
    make_app: Callable[..., AppReceiver], tmp_path: Path
) -> None:
    (tmp_path / "landing").mkdir(mode=0o700)
    orphan(tmp_path / "landing", line(1) + b"torn")

    receiver = make_app()

    assert files(receiver.landing) == {"a.ndjson": line(1), "a.ndjson.torn": b"torn"}
    assert [one["torn"] for one in receiver.logged("recovered")] == [4]


def test_what_could_not_be_recovered_is_tried_again_without_a_restart(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "landing").mkdir(mode=0o700)
    orphan(tmp_path / "landing", line(1))
    monkeypatch.setattr("receiver.factory.RECOVER_SECONDS", 0.05)
    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fails_with(errno.EIO))
        receiver = make_app()
        assert receiver.open_files()

    assert eventually(lambda: files(receiver.landing) == {"a.ndjson": line(1)})


def test_a_folder_that_cannot_be_read_keeps_no_other_from_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan(tmp_path, line(1))
    (tmp_path / "page").mkdir()
    scandir = os.scandir

    def scan(folder: Path) -> object:
        if Path(folder).name == "page":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scan)

    outcomes = recover(tmp_path)

    assert [(one.name, one.problem) for one in outcomes if one.problem] == [
        ("page", os.strerror(errno.EIO))
    ]
    monkeypatch.undo()
    assert files(tmp_path) == {"a.ndjson": line(1)}


def test_a_recovery_that_failed_is_not_the_last(
    make_app: Callable[..., AppReceiver], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("receiver.factory.RECOVER_SECONDS", 0.05)
    failed: list[Path] = []

    def fails_once(landing: Path) -> object:
        if failed:
            return recover(landing)
        failed.append(landing)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    receiver = make_app()
    monkeypatch.setattr("receiver.factory.recover", fails_once)
    assert eventually(lambda: bool(failed))
    orphan(receiver.landing, line(1))

    assert eventually(lambda: files(receiver.landing) == {"a.ndjson": line(1)})
    (said,) = receiver.logged("not_recovered")
    assert said["problem"] == os.strerror(errno.EIO)


def test_an_application_that_has_ended_leaves_no_thread(
    make_app: Callable[..., AppReceiver],
) -> None:
    before = set(threading.enumerate())
    receiver = make_app()
    own = set(threading.enumerate()) - before
    assert {"committer", "not_stored", "recovery"} <= {thread.name for thread in own}

    receiver.close()

    for thread in own:
        thread.join(timeout=20)
    assert not own & set(threading.enumerate())
