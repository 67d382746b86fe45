"""Starting, watching and stopping the processes of the stack."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from stack.errors import ServiceEndedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType, TracebackType

ROOT = Path(__file__).resolve().parents[1]
GRACE = 20.0
"""Seconds a process has, after SIGTERM, to seal its files or to finish a load."""

TAIL = 15
TICK = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Service:
    """One process of the stack: its name, its command, and what its environment has besides."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A started service: its guard (see `stack.child`) and the last lines it has printed."""

    def __init__(self, service: Service, guard: subprocess.Popen[bytes]) -> None:
        """Hold the guard of a service that was just started."""
        self.name = service.name
        self.guard = guard
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.reader = threading.Thread()

    def follow(self, output: int, show: Callable[[str, str], None]) -> None:
        """Pass on each line the service prints, until it ends, from a thread of its own."""
        self.reader = threading.Thread(target=self._read, args=(output, show))
        self.reader.daemon = True
        self.reader.start()

    def _read(self, output: int, show: Callable[[str, str], None]) -> None:
        with os.fdopen(output, errors="replace") as lines:
            for line in map(str.rstrip, lines):
                self.tail.append(line)
                with contextlib.suppress(BrokenPipeError):  # nobody looks any more; read on
                    show(self.name, line)

    def ask_to_end(self) -> None:
        """Close the line to the guard, which ends the whole process group."""
        if self.guard.stdin is not None:
            self.guard.stdin.close()

    def ended(self) -> ServiceEndedError:
        """How it ended; to be asked once the guard has."""
        self.reader.join(timeout=2)
        return ServiceEndedError(self.name, self.guard.wait(), tuple(self.tail))


class Supervisor:
    """The processes of the stack: all of them, or none.

    A context manager for the main thread. Leaving it stops what is running. Inside it SIGINT,
    SIGTERM and SIGHUP do nothing until the next `tick`, which raises KeyboardInterrupt, so they
    never cut into a start or a stop.
    """

    def __init__(
        self,
        show: Callable[[str, str], None],
        *,
        grace: float = GRACE,
        keep_open: tuple[int, ...] = (),
    ) -> None:
        """Prepare to supervise.

        Args:
            show: Called with the name of a service and each line it prints, from other threads.
            grace: Seconds between SIGTERM and SIGKILL.
            keep_open: File descriptors the services hold as long as they live.
        """
        self._show = show
        self._grace = grace
        self._keep_open = keep_open
        self._running: list[Running] = []
        self._signals: list[int] = []
        self._handlers: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def __enter__(self) -> Self:
        """Take over the signals that ask for an end."""
        for number in SIGNALS:
            self._handlers[number] = signal.signal(number, self._remember)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything, and give the signals back."""
        self.stop()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def start(self, service: Service) -> Running:
        """Start a service behind its guard, in the repository's root."""
        output, written = os.pipe()
        guard = subprocess.Popen(
            [sys.executable, "-m", "stack.child", str(self._grace), *service.command],
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | service.environment,
            # the reading end as well: a last word to a dead stack must not stop a file's sealing
            pass_fds=(output, *self._keep_open),
            start_new_session=True,  # a terminal's Ctrl-C is for us to pass on
        )
        os.close(written)
        running = Running(service, guard)
        running.follow(output, self._show)
        self._running.append(running)
        return running

    def run(self, service: Service) -> None:
        """Start a command that is expected to end, and wait for its end.

        Raises:
            ServiceEndedError: It ended with another status than 0.
        """
        running = self.start(service)
        self._running.remove(running)
        try:
            while running.guard.poll() is None:
                self.tick()
        finally:
            running.ask_to_end()
            ended = running.ended()
        if ended.status:
            raise ended

    def tick(self, seconds: float = TICK) -> None:
        """Wait, and see whether things are still as they should be.

        Raises:
            KeyboardInterrupt: A signal has asked for the end.
            ServiceEndedError: A service has ended.
        """
        deadline = time.monotonic() + seconds
        while True:
            if self._signals:
                raise KeyboardInterrupt
            for running in self._running:
                if running.guard.poll() is not None:
                    raise running.ended()
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK))

    def stop(self) -> None:
        """Stop all services at once, and return when the last of their processes is gone."""
        for running in self._running:
            running.ask_to_end()
        for running in self._running:
            running.ended()
        self._running.clear()
