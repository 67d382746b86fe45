"""Group commit and a disk that is slow, full or broken."""

import errno
import io
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from receiver.errors import NotLandedError
from receiver.files.committer import EXIT_AFTER_IO_ERROR, Committer
from receiver.files.disk import probe, probe_problem
from receiver.files.landed_file import LandedFile, file_names
from receiver.files.lines import Lines
from receiver.files.open_files import OpenFiles
from tests.support.faults.failing_disk import fails_with
from tests.support.processes import eventually

OLD = b'{"n":"old"}\n'
NEW = b'{"n":"new"}\n'


class Landing:
    """A committer on a folder of its own, and what became of it."""

    def __init__(self, folder: Path, **limits: Any) -> None:
        """Start it."""
        self.folder = folder
        self.fatal = threading.Event()
        settings = {"queue_bytes": 10_000, "queue_events": 100, "commit_seconds": 60} | limits
        files = OpenFiles(folder, seal_seconds=60, seal_bytes=1 << 30, reserve_bytes=0)
        self.committer = Committer(files, **settings, on_fatal=self.fatal.set)
        self.committer.start()

    def land(self, *lines: bytes, folder: str = "track") -> None:
        """Land lines as one request does."""
        gathered = Lines()
        for line in lines:
            gathered.add(folder, line)
        self.committer.land(gathered)

    def content(self, folder: str = "track") -> bytes:
        """Return what stands in a folder's files."""
        return b"".join(path.read_bytes() for path in (self.folder / folder).glob("*"))


@pytest.fixture
def landing(tmp_path: Path) -> Iterator[Landing]:
    landing = Landing(tmp_path)
    yield landing
    landing.committer.close()


class SlowDisk:
    """A disk whose syncs wait for a sign."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the place of the real one."""
        self.go = threading.Event()
        self.synced = 0
        self.reached = threading.Event()
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, _: int) -> None:
        self.reached.set()
        self.go.wait(60)
        self.synced += 1


def test_landing_returns_only_after_the_sync(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(landing.land, NEW)
        disk.reached.wait(60)
        written_but_not_synced = landing.content()

        assert written_but_not_synced == NEW
        assert not waiting.done()
        disk.go.set()
        waiting.result(60)


def test_names_and_lines_are_synced_before_landing_returns(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a power cut may not undo: the file's name, its lines, and its new name once sealed."""
    done: list[str] = []

    def record(owner: Any, name: str, label: Callable[[Any], str]) -> None:
        real = getattr(owner, name)

        def call(first: Any, *rest: Any) -> Any:
            done.append(label(first))
            return real(first, *rest)

        monkeypatch.setattr(owner, name, call)

    def sync_label(descriptor: int) -> str:
        return "sync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file"

    (landing.folder / "track").mkdir()
    record(os, "fsync", sync_label)
    record(os, "fdatasync", lambda _: "sync lines")
    record(os, "write", lambda _: "write")
    record(Path, "rename", lambda _: "rename")
    landing.land(NEW)
    landed = list(done)
    landing.committer.close()

    assert landed == ["sync folder", "sync folder", "write", "sync lines"]  # of landing, of track
    assert done[len(landed) :] == ["rename", "sync folder"]


def test_what_gathers_during_a_sync_shares_the_next_one(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    with ThreadPoolExecutor(max_workers=20) as pool:
        first = pool.submit(landing.land, OLD)
        disk.reached.wait(60)
        others = [pool.submit(landing.land, NEW) for _ in range(19)]
        while landing.committer._waiting_events < 20:  # noqa: SLF001
            time.sleep(0.001)
        disk.go.set()
        for one in (first, *others):
            one.result(60)

    assert landing.content() == OLD + NEW * 19
    assert disk.synced == 2


def test_a_full_queue_is_busy_and_what_waits_is_landed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(landing.land, *[NEW] * 100)
        disk.reached.wait(60)

        with pytest.raises(NotLandedError) as refused:
            landing.land(NEW)

        assert refused.value.code == landing.committer.refusal() == "busy"
        disk.go.set()
        waiting.result(60)
    landing.land(NEW)


def test_a_request_larger_than_the_queue_lands_when_nothing_waits(landing: Landing) -> None:
    landing.land(*[NEW] * 1000)

    assert landing.content() == NEW * 1000


def test_waiting_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SlowDisk(monkeypatch)
    landing = Landing(tmp_path, commit_seconds=0.1)

    with pytest.raises(NotLandedError) as refused:
        landing.land(NEW)

    assert (refused.value.status, refused.value.code) == (503, "slow_disk")
    disk.go.set()
    landing.committer.close()


def short_write_then(number: int) -> Callable[[int, bytes], int]:
    """Return a stand-in for `os.write` that takes half of what it is given, then fails."""
    real = os.write
    halved = []

    def write(descriptor: int, data: bytes) -> int:
        if halved:
            raise OSError(number, os.strerror(number))
        halved.append(True)
        return real(descriptor, data[: len(data) // 2])

    return write


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_half_a_write_is_taken_back(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    landing.land(OLD)
    with monkeypatch.context() as full:
        full.setattr(os, "write", short_write_then(number))
        with pytest.raises(NotLandedError):
            landing.land(NEW)

    assert landing.content() == OLD
    assert landing.committer.refusal()
    landing.land(NEW)
    assert landing.content() == OLD + NEW
    assert not landing.fatal.is_set()


def test_a_request_lands_in_all_its_files_or_in_none(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land(OLD)
    both = Lines()
    both.add("track", NEW)
    both.add("page", NEW)
    with monkeypatch.context() as full:
        full.setattr(LandedFile, "create", fails_with(errno.ENOSPC))
        with pytest.raises(NotLandedError) as refused:
            landing.committer.land(both)

    assert refused.value.code == "disk_full"
    assert landing.content() == OLD
    assert landing.content("page") == b""


def test_a_file_whose_first_write_fails_is_removed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "write", fails_with(errno.ENOSPC))
        with pytest.raises(NotLandedError):
            landing.land(NEW)

    assert list((landing.folder / "track").iterdir()) == []


@pytest.mark.parametrize(
    ("call", "number"),
    [("fdatasync", errno.EIO), ("fdatasync", errno.ENOSPC), ("write", errno.EIO)],
)
def test_a_disk_that_fails_to_sync_ends_the_process_and_leaves_the_file(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    landing.land(OLD)
    tries = []

    def fail(*_: object) -> None:
        tries.append(call)
        raise OSError(number, "injected")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(NotLandedError):
            landing.land(NEW)
        assert landing.fatal.wait(60)
        with pytest.raises(NotLandedError):
            landing.land(NEW)
        landing.committer.close()

    assert len(tries) == 1
    assert landing.content().startswith(OLD)
    assert [path.suffix for path in (landing.folder / "track").iterdir()] == [".open"]


def test_a_write_that_cannot_be_taken_back_ends_the_process(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing.land(OLD)
    with monkeypatch.context() as broken:
        broken.setattr(os, "write", short_write_then(errno.ENOSPC))
        broken.setattr(os, "ftruncate", fails_with(errno.EIO))
        with pytest.raises(NotLandedError):
            landing.land(NEW)

    assert landing.fatal.wait(60)


def test_a_file_that_somebody_removed_acknowledges_nothing(landing: Landing) -> None:
    landing.land(OLD)
    for path in (landing.folder / "track").iterdir():
        path.unlink()

    with pytest.raises(NotLandedError):
        landing.land(NEW)
    landing.land(NEW)

    assert landing.content() == NEW


def test_a_bug_in_the_committer_leaves_nobody_waiting(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(OpenFiles, "due", lambda _: 1 // 0)
    landing.land(OLD)

    assert landing.fatal.wait(60)
    with pytest.raises(NotLandedError):
        landing.land(NEW)


@pytest.fixture
def one_mib_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that has one MiB, and no more once that is full."""
    free = (1 << 20) + 4096

    def statvfs(_path: object) -> Any:
        used = sum(path.stat().st_size for path in tmp_path.glob("*/*"))
        return SimpleNamespace(f_bavail=free - used, f_frsize=1)

    monkeypatch.setattr(os, "statvfs", statvfs)


@pytest.mark.usefixtures("one_mib_left")
def test_a_request_for_which_there_is_no_room_keeps_no_other_from_landing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = b"x" * (2 << 20) + b"\n"
    landing = Landing(tmp_path, queue_bytes=10 << 20)
    with monkeypatch.context() as slow, ThreadPoolExecutor() as pool:
        disk = SlowDisk(slow)
        waiting = [pool.submit(landing.land, OLD)]
        assert disk.reached.wait(60)
        waiting += [pool.submit(landing.land, line) for line in (NEW, large, NEW, large, NEW)]
        assert eventually(lambda: landing.committer._waiting_events == 6)  # noqa: SLF001
        disk.go.set()
        outcomes = [one.exception(60) for one in waiting]

    assert [getattr(one, "code", one) for one in outcomes] == [
        *(None, None, "disk_full", None, "disk_full", None)
    ]
    assert landing.content() == OLD + NEW * 3
    assert landing.committer.refusal() is None
    with pytest.raises(NotLandedError):
        landing.land(large)
    assert landing.committer.refusal() is None
    landing.committer.close()


@pytest.mark.usefixtures("one_mib_left")
def test_a_disk_without_room_for_a_small_request_is_full_for_all(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    landing.land(b"x" * (1 << 20) + b"\n")
    with pytest.raises(NotLandedError):
        landing.land(b"x" * 5000 + b"\n")

    assert landing.committer.refusal() == "disk_full"
    landing.committer.close()


@pytest.fixture
def full_log() -> Iterator[None]:
    """A logger that raises, as the one on a full disk would."""

    class FullDisk(io.StringIO):
        write = fails_with(errno.ENOSPC)

    structlog.configure(logger_factory=structlog.WriteLoggerFactory(FullDisk()))
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("full_log")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_logger_that_raises_keeps_nobody_waiting_and_no_process_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    landing = Landing(tmp_path, commit_seconds=5)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(os, "write", fails_with(number))

    with pytest.raises(NotLandedError) as refused:
        landing.land(NEW)

    assert refused.value.code == {errno.ENOSPC: "disk_full", errno.EIO: "write_EIO"}[number]
    assert landing.fatal.wait(60)


def test_a_committer_whose_disk_breaks_ends_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a started receiver: `test_a_descriptor_whose_sync_failed_is_never_synced_again`."""
    ended: list[int] = []
    has_ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda code: (ended.append(code), has_ended.set()))
    monkeypatch.setattr("receiver.files.committer._TIME_TO_ANSWER", 0.01)
    monkeypatch.setattr(os, "fdatasync", fails_with(errno.EIO))
    files = OpenFiles(tmp_path, seal_seconds=60, seal_bytes=1 << 30, reserve_bytes=0)
    committer = Committer(files, queue_bytes=1000, queue_events=10, commit_seconds=5)
    committer.start()
    lines = Lines()
    lines.add("track", NEW)

    with pytest.raises(NotLandedError):
        committer.land(lines)

    assert has_ended.wait(60)
    assert ended == [EXIT_AFTER_IO_ERROR]


def test_a_planted_file_is_not_opened(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (tmp_path / "track").mkdir()
    (tmp_path / "track" / "planted.ndjson.open").symlink_to(target)

    file = LandedFile.create(tmp_path / "track", iter(["planted", *["free"] * 9]))
    file.append(NEW)

    assert file.path.name == "free.ndjson.open"
    assert target.read_bytes() == b"mine"


def test_names_are_never_the_same() -> None:
    mine, other = file_names(), file_names()

    assert len({next(names) for names in (mine, other) for _ in range(1000)}) == 2000


def test_the_probe_leaves_nothing_and_says_why_not(tmp_path: Path) -> None:
    probe(tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert probe_problem(tmp_path, 0) is None
    assert probe_problem(tmp_path, 10**18) == "disk_full"
    assert probe_problem(tmp_path / "missing", 0) == "cannot_write"
