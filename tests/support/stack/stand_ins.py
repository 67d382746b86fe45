"""A stack of stand-ins: real processes behind the real supervisor, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 60.0

HOLD = """
import json, sys
import click
from stack.output import show
from stack.supervisor import Supervisor
from stack.up import stoppable

@click.command()
@click.argument("services")
@click.argument("grace", type=float)
@stoppable()
def work(services, grace):
    with Supervisor(show, grace=grace) as supervisor:
        for name, code in json.loads(services).items():
            supervisor.start(name, sys.executable, "-c", code)
        supervisor.stay()

work()
"""

FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print("up", os.getpid(), child.pid, flush=True)
time.sleep(300)
"""
"""A process with a child of its own, both of which end on SIGTERM."""

DEAF = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print("up", os.getpid(), child.pid, flush=True)
time.sleep(300)
"""
"""A process that ignores SIGTERM, as its child does."""

TIDY = """
import os, pathlib, signal, time
def seal(*_):
    time.sleep(1)
    print("sealing", flush=True)
    pathlib.Path({path!r}).write_text("sealed")
    raise SystemExit(0)
signal.signal(signal.SIGTERM, seal)
print("up", os.getpid(), flush=True)
while True:
    time.sleep(1)
"""
"""A process that needs a second to tidy up, and talks about it."""


class Held:
    """A supervisor in a process of its own, with the stand-ins it holds."""

    def __init__(self, services: Mapping[str, str], output: Path, grace: float = 20) -> None:
        """Start it.

        Args:
            services: The name of each stand-in and its Python code.
            output: The file to print to.
            grace: Seconds between SIGTERM and SIGKILL.
        """
        self.output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", HOLD, json.dumps(services), str(grace)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.names = tuple(services)

    def pids(self) -> list[int]:
        """Wait until every stand-in has printed `up` and its processes, and return those."""
        eventually(lambda: self.printed().count("| up ") == len(self.names))
        return self.pids_so_far()

    def pids_so_far(self) -> list[int]:
        """The processes of the stand-ins that have printed them."""
        lines = re.findall(r"\| up ([\d ]+)", self.printed())
        return [int(pid) for line in lines for pid in line.split()]

    def guards(self) -> list[int]:
        """The processes between the supervisor and the stand-ins."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def printed(self) -> str:
        """What it has printed so far."""
        return self.output.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def clear_away(self) -> None:
        """End what a failed test has left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in filter(alive, self.pids_so_far()):
            os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_gone(pids: list[int]) -> bool:
    """Whether none of the processes is there any more."""
    return not any(map(alive, pids))


def eventually(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until something holds; fail if it never does."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)
