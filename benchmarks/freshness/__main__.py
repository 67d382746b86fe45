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
import tomllib
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from multiprocessing.synchronize import Event
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

from benchmarks.free_port import free_port
from benchmarks.freshness import page
from benchmarks.freshness.page import Idle, Measured, Seen
from benchmarks.report import conditions
from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

SHARES = {"track": 5, "page": 2, "identify": 1, "screen": 1, "group": 1}
"""Of ten events, how many are of which call."""

REQUESTS_A_SECOND = 10
PATIENCE = 120.0
"""Seconds after the last answer until what is not seen counts as lost."""

_LOOK_SECONDS = 0.1
_FILES_SECONDS = 0.02


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


def send(stack: Stack, rate: int, seconds: float) -> dict[str, float]:
    """Send batches at a rate; return when each message was answered."""
    key = tomllib.loads(_sources())["source"][0]["server_keys"][0]
    authorization = "Basic " + b64encode(f"{key}:".encode()).decode()
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", stack.port)
    answered: dict[str, float] = {}
    began = time.monotonic()
    for number in range(int(seconds * REQUESTS_A_SECOND)):
        batch = [
            _event(f"{rate}-{int(time.time())}-{number}-{one}", number * 7 + one)
            for one in range(rate // REQUESTS_A_SECOND)
        ]
        time.sleep(max(0.0, began + number / REQUESTS_A_SECOND - time.monotonic()))
        connection.request("POST", "/v1/batch", json.dumps({"batch": batch}), headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:  # noqa: PLR2004 - HTTP's
            raise SystemExit(f"The receiver answered {answer.status}")
        now = time.time()
        answered |= {event["messageId"]: now for event in batch}
    connection.close()
    return answered


def _sources() -> str:
    return Path(os.environ["SEAMLINE_SOURCES"]).read_text()


_CALLS = [call for call, share in SHARES.items() for _ in range(share)]


def _event(message_id: str, number: int) -> dict[str, Any]:
    """An event of 1.1 kB, as the other benchmarks have it."""
    call = _CALLS[number % len(_CALLS)]
    fields = {"plan": "pro", "price": number % 100 / 4, "position": number % 50, "note": "n" * 400}
    return {
        "type": call,
        "messageId": message_id,
        "userId": f"u{number % 500}",
        "anonymousId": f"a{number % 900}",
        "groupId": f"g{number % 20}",
        "event": "Product Viewed",
        "name": "Home",
        "context": {
            "ip": "203.0.113.7",
            "locale": "de-DE",
            "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 " * 2,
            "page": {"path": "/products", "url": "https://shop.example.com/products", "title": "P"},
            "library": {"name": "analytics-python", "version": "2.3.3"},
        },
        "traits" if call in {"identify", "group"} else "properties": fields,
    }


def watch_rows(file: str, stop: Event) -> None:
    """Read the final tables as a second process does, and note when each message is first seen."""
    settings = Settings()
    loads = dict.fromkeys(SHARES, 0)
    with connect(settings, read_only=True) as con, Path(file).open("w") as seen:
        while not stop.is_set():
            for call in SHARES:
                rows = con.execute(
                    f'select message_id, _seamline_load_id, _seamline_file from segment."{call}" '
                    f"where _seamline_load_id > {loads[call]}"
                ).fetchall()
                now = time.time()
                for message_id, load_id, landed in rows:
                    seen.write(json.dumps([message_id, now, load_id, landed, call]) + "\n")
                    loads[call] = max(loads[call], load_id)
            seen.flush()
            time.sleep(_LOOK_SECONDS)


@dataclass
class SealedFiles:
    """Notes when each landed file is sealed, in a thread."""

    landing: Path
    at: dict[str, float] = field(default_factory=dict)
    is_over: bool = False

    def watch(self) -> None:
        """Look until it is over."""
        while not self.is_over:
            for call in SHARES:
                folder = self.landing / call
                names = os.listdir(folder) if folder.is_dir() else []  # noqa: PTH208 - many times
                now = time.time()
                for name in names:
                    if name.endswith(".ndjson"):
                        self.at.setdefault(name, now)
            time.sleep(_FILES_SECONDS)


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
    answered = send(stack, rate, seconds)
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
