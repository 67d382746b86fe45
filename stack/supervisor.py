"""Starting, watching and stopping the processes of the stack."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import NoReturn, Self

from landed.settings import ROOT
from stack.errors import ServiceEndedError

GRACE = 20.0
"""Seconds a process has, after SIGTERM, to seal its files or to finish a load."""

TAIL = 15
TICK = 0.1
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Running:
    """A started process: its guard (see `stack.child`) and the last lines it has printed."""

    def __init__(
        self,
        name: str,
        guard: subprocess.Popen[bytes],
        output: int,
        show: Callable[[str, str], None],
    ) -> None:
        """Pass on each line that comes from `output`, until it ends, from a thread of its own."""
        self.name = name
        self.guard = guard
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.reader = threading.Thread(target=self._read, args=(output, show), daemon=True)
        self.reader.start()

    def _read(self, output: int, show: Callable[[str, str], None]) -> None:
        with os.fdopen(output, errors="replace") as lines:
            for line in map(str.rstrip, lines):
                self.tail.append(line)
                with suppress(OSError):  # nobody looks any more, or it cannot be written; read on
                    show(self.name, line)

    def ask_to_end(self) -> None:
        """Close the line to the guard, which ends the whole process group."""
        if self.guard.stdin is not None:
            self.guard.stdin.close()

    def ended(self) -> ServiceEndedError:
        """How it ended; to be asked once the guard has."""
        self.reader.join(timeout=2)
        return ServiceEndedError(self.name, self.guard.wait(), tuple(self.tail))


class Supervisor(ExitStack):
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
        environment: Mapping[str, str] | None = None,
        keep_open: tuple[int, ...] = (),
    ) -> None:
        """Prepare to supervise.

        Args:
            show: Called with the name of a process and each line it prints, from other threads.
            grace: Seconds between SIGTERM and SIGKILL.
            environment: What that of the processes has besides.
            keep_open: File descriptors the processes hold as long as they live.
        """
        super().__init__()
        self._show = show
        self._grace = grace
        self._environment = environment or {}
        self._keep_open = keep_open
        self._running: list[Running] = []
        self._signals: list[int] = []

    def __enter__(self) -> Self:
        """Take over the signals that ask for an end; they are given back after the stop."""
        for number in SIGNALS:
            before = signal.signal(number, lambda received, _frame: self._signals.append(received))
            self.callback(signal.signal, number, before)
        self.callback(self.stop)
        return self

    def start(self, name: str, *command: str) -> Running:
        """Start a process behind its guard, in the repository's root."""
        output, written = os.pipe()
        guard = subprocess.Popen(
            [sys.executable, "-m", "stack.child", str(self._grace), *command],
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, **self._environment},
            # the reading end as well: a last word to a dead stack must not stop a file's sealing
            pass_fds=(output, *self._keep_open),
            start_new_session=True,  # a terminal's Ctrl-C is for us to pass on
        )
        os.close(written)
        running = Running(name, guard, output, self._show)
        self._running.append(running)
        return running

    def run(self, name: str, *command: str) -> None:
        """Start a command that is expected to end, and wait for its end.

        Raises:
            ServiceEndedError: It ended with another status than 0.
        """
        running = self.start(name, *command)
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
            ServiceEndedError: A process has ended.
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

    def stay(self) -> NoReturn:
        """Wait until something is to end, and raise as `tick` does."""
        while True:
            self.tick()

    def stop(self) -> None:
        """Stop all processes at once, and return when the last of them is gone."""
        for running in self._running:
            running.ask_to_end()
        for running in self._running:
            running.ended()
        self._running.clear()
