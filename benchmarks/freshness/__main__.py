"""`make bench-freshness`: how long an event takes from the receiver's answer to its row.

The stack runs as `make run` starts it, in a folder of its own. One process sends; a second one
reads the warehouse, again and again, and notes when it first sees each message.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psutil

from benchmarks.free_port import free_port
from benchmarks.freshness import page
from benchmarks.freshness.page import Idle, Measured, Seen
from benchmarks.freshness.reader import SealedFiles, watch_rows
from benchmarks.freshness.sender import send
from benchmarks.report import conditions
from landed.settings import ROOT
from orchestration.settings import Settings

PATIENCE = 120.0
"""Seconds after the last answer until what is not seen counts as lost."""


@dataclass
class Stack:
    """A running stack, and the settings that lead there."""

    process: subprocess.Popen[bytes]
    settings: Settings
    port: int

    def processes(self) -> list[psutil.Process]:
        """All of it, guards and run workers too."""
        top = psutil.Process(self.process.pid)
        return [top, *top.children(recursive=True)]

    def cpu(self, seconds: float) -> float:
        """The share of a core that all of it takes for so long."""
        before = self.cpu_seconds()
        time.sleep(seconds)
        after = self.cpu_seconds()
        # what begins or ends meanwhile counts with what is seen of it
        return sum(used - before.get(pid, 0) for pid, used in after.items()) / seconds

    def cpu_seconds(self) -> dict[int, float]:
        """Process → the seconds of processor that it has taken so far."""
        found = {}
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            found[process.pid] = times.user + times.system
        return found


@contextmanager
def started(folder: Path) -> Iterator[Stack]:
    """Start the stack in a folder, and stop it with the end of the `with` block."""
    port = free_port()
    environment = {
        "SEAMLINE_LANDING": str(folder / "landing"),
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": str(folder / "sources.toml"),
        "SEAMLINE_COLUMNS": str(folder / "columns.yml"),
        "SEAMLINE_PORT": str(port),
        "SEAMLINE_DAGSTER_PORT": str(free_port()),
        "DAGSTER_HOME": str(folder / "dagster"),
    }
    os.environ |= environment
    with (folder / "stack.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "stack", "run"], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        stack = Stack(process, Settings(), port)
        _wait_until_ready(stack, folder)
        yield stack
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(stack: Stack, folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if stack.process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{stack.port}/health/ready"):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit((folder / "stack.log").read_text()[-2000:])


def measure(stack: Stack, folder: Path, rate: int, seconds: float) -> Measured:
    """Send at a rate, and measure each event's way."""
    stop = multiprocessing.get_context("spawn").Event()
    noted = folder / f"seen-{rate}.ndjson"
    reader = multiprocessing.get_context("spawn").Process(
        target=watch_rows, args=(str(noted), stop)
    )
    reader.start()
    sealed = SealedFiles(stack.settings.landing)
    looking = Thread(target=sealed.watch)
    looking.start()
    time.sleep(3)  # the reader's start
    storage = _bytes(stack.settings.dagster_home)
    cpu = stack.cpu_seconds()
    answered = send(stack.port, rate, seconds)
    wanted = len(answered)
    deadline = time.monotonic() + PATIENCE
    seen: list[Seen] = []
    while time.monotonic() < deadline and len(seen) < wanted:
        time.sleep(1)
        lines = [line for line in noted.read_text().splitlines(keepends=True) if line]
        parsed = [json.loads(line) for line in lines if line.endswith("\n")]
        seen = [Seen(*one) for one in parsed if one[0] in answered]
    used = stack.cpu_seconds()
    stop.set()
    reader.join()
    sealed.is_over = True
    looking.join()
    return page.measured(
        stack.settings,
        rate=rate,
        seconds=seconds,
        answered=answered,
        seen=seen,
        sealed=sealed.at,
        storage=_bytes(stack.settings.dagster_home) - storage,
        cpu=sum(value - cpu.get(pid, 0) for pid, value in used.items()),
    )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(prog="make bench-freshness", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="*", default=[100, 1000], help="events a second")
    parser.add_argument("--seconds", type=float, default=150, help="for each rate")
    parser.add_argument("--idle", type=float, default=60, help="seconds of nothing to do")
    parser.add_argument("--folder", type=Path, help="keep all of it there")
    parser.add_argument("--no-page", action="store_true", help="print only")
    wanted = parser.parse_args()
    said = conditions("dagster", "dbt-core", "duckdb")
    with tempfile.TemporaryDirectory() as temporary:
        folder = wanted.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        with started(folder) as stack:
            results = [measure(stack, folder, rate, wanted.seconds) for rate in wanted.rates]
            idle = None
            if wanted.idle:
                time.sleep(stack.settings.quiet_seconds + 15)
                idle = Idle(wanted.idle, stack.cpu(wanted.idle))
    page.show(said, results, idle, write=not wanted.no_page)


if __name__ == "__main__":
    main()
