"""Group commit: one committer makes durable what many requests have gathered.

Requests add their lines to the group that is gathering, and wait. The committer takes the
group, writes and syncs it, and wakes those it served; what comes meanwhile gathers in the
next one. There is no timer: the sync itself sets the pace, and what has arrived before it begins
is landed with it.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

import structlog

from receiver.errors import NotLandedError
from receiver.files.landed_file import LandedFile
from receiver.files.lines import Lines
from receiver.files.open_files import Problem
from receiver.server.native_threads import event, run_native, while_growing

EXIT_AFTER_IO_ERROR = 74  # EX_IOERR
_TIME_TO_ANSWER = 0.5
_LONGEST_GATHERING = 0.005
_RETRY_AFTER_TROUBLE = 1.0
_SMALL_BYTES = 1 << 20  # a disk without room for a request of so many has room for none

log = structlog.get_logger()


def exit_soon() -> None:
    """End the process once waiting requests have had time to be answered.

    What is in the files is no longer known. The process that takes this one's place
    recovers them.
    """
    timer = threading.Timer(_TIME_TO_ANSWER, os._exit, [EXIT_AFTER_IO_ERROR])
    timer.daemon = True
    timer.start()


class Commit(NamedTuple):
    """What became of one commit, and what waits after it."""

    events: int
    """That are durable."""
    seconds: float
    failed: bool
    """Whether none is."""
    waiting_events: int
    waiting_bytes: int


class _Request:
    """One request's lines, and why they did not become durable, if they did not."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.problem: Problem | None = None


class _Group:
    """Requests whose lines become durable together, and wait for it."""

    def __init__(self, requests: Iterable[_Request] = ()) -> None:
        self.requests: list[_Request] = []
        self.lines = Lines()
        self.done = event()
        for request in requests:
            self.add(request)

    def add(self, request: _Request) -> None:
        self.requests.append(request)
        self.lines.extend(request.lines)

    def fail(self, problem: Problem | None) -> None:
        for request in self.requests:
            request.problem = problem

    def halves(self) -> tuple["_Group", "_Group"]:
        """Its smaller requests, and its larger ones."""
        by_size = sorted(self.requests, key=lambda one: one.lines.size)
        middle = len(by_size) // 2
        return _Group(by_size[:middle]), _Group(by_size[middle:])


class Files(Protocol):
    """What lines are written to: files on a disk, or objects in a store."""

    def commit(self, lines: Mapping[str, Sequence[bytes]], /) -> Problem | None:
        """Make lines durable, each in the file of its folder; say why they are not."""

    def next_due(self) -> float | None:
        """When, on the monotonic clock, something has to be sealed."""

    def due(self) -> list[LandedFile]:
        """What has to be sealed."""

    def all(self) -> list[LandedFile]:
        """What is open."""

    def seal(self, files: Sequence[LandedFile], /) -> list[str]:
        """Hand files to the loader; say why some could not be."""


class Committer:
    """Makes lines durable. `land` is all the HTTP side knows of landing."""

    def __init__(
        self,
        files: Files,
        *,
        queue_bytes: int,
        queue_events: int,
        commit_seconds: float,
        on_fatal: Callable[[], object] = exit_soon,
        on_commit: Callable[[Commit], object] = id,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            files: what is written to; from now on the committer's alone.
            queue_bytes: bytes that may wait.
            queue_events: events that may wait.
            commit_seconds: how long a request waits.
            on_fatal: called when what is in the files can no longer be known.
            on_commit: called after each commit, once those it served are awake.
        """
        self._files = files
        self._queue_bytes = queue_bytes
        self._queue_events = queue_events
        self._commit_seconds = commit_seconds
        self._on_fatal = on_fatal
        self._on_commit = on_commit
        self._changed = threading.Condition(threading.Lock())
        self._gathering = _Group()
        self._waiting_bytes = 0
        self._waiting_events = 0
        self._closing = False
        self._running = False
        self._last_problem: tuple[float, str] | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Start committing."""
        self._running = True
        self._thread.start()

    def land(self, lines: Lines) -> None:
        """Return when the lines are on the disk, all of them.

        Raises:
            NotLandedError: they may not be, and have to be sent again.
        """
        if not lines.events:
            return
        with self._changed:
            self._refuse(lines)
            group = self._gathering
            if not group.lines.events:
                self._changed.notify()
            request = _Request(lines)
            group.add(request)
            self._waiting_bytes += lines.size
            self._waiting_events += lines.events
        if not group.done.wait(self._commit_seconds):
            raise NotLandedError("slow_disk")
        if request.problem:
            raise NotLandedError(request.problem.code)

    def refusal(self) -> str | None:
        """Return why nothing can be landed just now, as far as that is known without trying."""
        if self._closing or not self._running:
            return "closing"
        if self._waiting_bytes >= self._queue_bytes or self._waiting_events >= self._queue_events:
            return "busy"
        if self._last_problem and time.monotonic() < self._last_problem[0] + _RETRY_AFTER_TROUBLE:
            return self._last_problem[1]
        return None

    def refuse_early(self) -> None:
        """Refuse what could not be landed anyway, before it is read and parsed.

        Raises:
            NotLandedError: it has to be sent again later.
        """
        if code := self.refusal():
            raise NotLandedError(code)

    def close(self) -> None:
        """Commit what has gathered, seal every file, and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _refuse(self, lines: Lines) -> None:
        if self._closing or not self._running:
            raise NotLandedError("closing")
        too_much = (
            self._waiting_bytes + lines.size > self._queue_bytes
            or self._waiting_events + lines.events > self._queue_events
        )
        # A request as big as the queue still has to get through when nothing else waits.
        if too_much and self._waiting_events:
            raise NotLandedError("busy")

    def _run(self) -> None:
        sound = False
        try:
            sound = self._commit_until_closed()
        finally:
            self._running = False
            if not sound:
                self._fail()

    def _commit_until_closed(self) -> bool:
        while True:
            group = self._take_group()
            if group.lines.events:
                started = time.perf_counter()
                problem = self._commit(group)
                self._finish(group, problem)
                self._report(group, time.perf_counter() - started)
                if problem and problem.fatal:
                    return False
            elif self._closing:
                self._seal(self._files.all())
                return True
            self._seal(self._files.due())

    def _take_group(self) -> _Group:
        """Wait for lines, for a file to seal, or for the end; return the group, maybe empty."""
        with self._changed:
            if not (self._gathering.lines.events or self._closing):
                due = self._files.next_due()
                self._changed.wait(None if due is None else max(0.0, due - time.monotonic()))
        while_growing(lambda: self._gathering.lines.events, _LONGEST_GATHERING)
        with self._changed:
            group, self._gathering = self._gathering, _Group()
            return group

    def _commit(self, group: _Group) -> Problem | None:
        """Make a group durable, or what there is room for; return why that was not all of it."""
        problem = run_native(partial(self._files.commit, group.lines.by_folder))
        if not problem or not problem.lacks_room or len(group.requests) == 1:
            group.fail(problem)
            return problem
        smaller, larger = group.halves()
        if problem := self._commit(smaller):  # then there is no room for larger ones either
            larger.fail(problem)
            return problem
        return self._commit(larger)

    def _finish(self, group: _Group, problem: Problem | None) -> None:
        with self._changed:
            self._waiting_bytes -= group.lines.size
            self._waiting_events -= group.lines.events
        failed = [one.lines for one in group.requests if one.problem]
        if problem and (not problem.lacks_room or min(one.size for one in failed) <= _SMALL_BYTES):
            self._last_problem = (time.monotonic(), problem.code)
        group.done.set()
        if problem:
            events = sum(one.events for one in failed)
            more = {"problem": problem.said} if problem.said else {}
            log.error("not_landed", code=problem.code, events=events, **more)

    def _report(self, group: _Group, seconds: float) -> None:
        events = sum(one.lines.events for one in group.requests if not one.problem)
        waiting = (self._waiting_events, self._waiting_bytes)
        self._on_commit(Commit(events, seconds, not events, *waiting))

    def _seal(self, files: Sequence[LandedFile]) -> None:
        if files:
            for problem in run_native(partial(self._files.seal, files)):
                log.error("not_sealed", problem=problem)

    def _fail(self) -> None:
        """Let nobody wait for a committer that has ended, and end the process."""
        with self._changed:
            self._closing = True
            self._gathering.fail(Problem("closing", fatal=True))
            self._gathering.done.set()
        try:
            log.critical("committer_failed")
        finally:
            self._on_fatal()
