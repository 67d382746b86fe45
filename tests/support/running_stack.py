"""A house of the test's own: the whole stack, really started, in a folder and on free ports."""

import json
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from landed.settings import ROOT
from orchestration.settings import Settings
from tests.support import made_house
from tests.support.duckdb_config import reading
from tests.support.made_house import plain_environment
from tests.support.receiver import free_port
from tests.support.users_packages import hide_developers_packages

TABLES = ("group", "identify", "page", "screen", "track")


class House:
    """Folders and ports for a stack, and what can be asked of it from outside."""

    def __init__(self, folder: Path) -> None:
        """Choose them; nothing is started."""
        self.folder = folder
        self.port = free_port()
        self.log = folder / "stack.log"
        self.environment = {
            "SEAMLINE_LANDING": str(folder / "landing"),
            "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
            "SEAMLINE_SOURCES": str(folder / "sources.toml"),
            "SEAMLINE_PORT": str(self.port),
            "SEAMLINE_DAGSTER_PORT": str(free_port()),
            "DAGSTER_HOME": str(folder / "dagster"),
        } | hide_developers_packages(folder / "users")
        self.settings = Settings(
            landing=Path(self.environment["SEAMLINE_LANDING"]),
            warehouse=self.environment["SEAMLINE_WAREHOUSE"],
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.acknowledged: list[str] = []

    def move_in(self, made: Path) -> None:
        """Take over a warehouse and a DAGSTER_HOME that are prepared already."""
        made_house.move_in(made, self.folder)

    def stack(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python -m stack` with some arguments; its output goes to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stack", *arguments],
                env=plain_environment() | self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def demo(self, seed: int) -> tuple[int, str]:
        """Run the demo to its end; return its exit status and what it printed."""
        before = self.log.stat().st_size if self.log.exists() else 0
        process = self.stack("demo", "--once", "--seed", str(seed), "--timeout", "300")
        status = process.wait(timeout=360)
        return status, self.log.read_bytes()[before:].decode()

    def run(self) -> None:
        """Start the stack for real use, and wait until the receiver is ready."""
        process = self.stack("run")
        deadline = time.monotonic() + 90
        while not self._is_ready():
            assert process.poll() is None, f"the stack did not start:\n{self.tail()}"
            assert time.monotonic() < deadline, f"the stack is not ready:\n{self.tail()}"
            time.sleep(0.2)

    def keep_running(self) -> None:
        """Start the stack unless it is up; where it is about to end, wait for that first."""
        if self.process is not None and not self._is_ready():
            self.process.wait(timeout=60)
        if self.process is None or self.process.poll() is not None:
            self.run()

    def _is_ready(self) -> bool:
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=5)
        except httpx.TransportError:
            return False
        return answer.is_success

    def stop(self) -> int:
        """End the stack as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)

    def tail(self) -> str:
        """The last of what the stack has printed."""
        return self.log.read_text()[-4000:]

    def track(self, *message_ids: str) -> None:
        """Send one `track` per id, as an SDK's batch; returns once they are acknowledged."""
        key = tomllib.loads(Path(self.environment["SEAMLINE_SOURCES"]).read_text())
        batch = [
            {"type": "track", "event": "Killed", "userId": "u", "messageId": message_id}
            for message_id in message_ids
        ]
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/v1/batch",
            auth=(key["source"][0]["write_keys"][0], ""),
            content=json.dumps({"batch": batch}),
            timeout=10,
        )
        answer.raise_for_status()
        self.acknowledged += message_ids

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse, as a process of its own would."""
        with reading(self.settings) as con:
            return con.execute(sql).fetchall()

    def counts(self, schema: str) -> dict[str, int]:
        """Rows per table."""
        return {t: self.query(f'select count(*) from {schema}."{t}"')[0][0] for t in TABLES}

    def processes(self) -> list[psutil.Process]:
        """Every process of the stack, wherever in its tree."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def process_of(self, wanted: Callable[[list[str]], bool]) -> psutil.Process:
        """The first process whose command line is wanted, once there is one."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for process in self.processes():
                try:
                    if wanted(process.cmdline()):
                        return process
                except psutil.Error:
                    continue
            time.sleep(0.05)
        raise AssertionError(f"no such process:\n{self.tail()}")

    def end(self) -> None:
        """Leave nothing running, whatever happened before."""
        if self.process is None or self.process.poll() is not None:
            return
        family = [*self.processes(), psutil.Process(self.process.pid)]
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.process.wait(timeout=10)


class Reader(threading.Thread):
    """A second process that queries the warehouse in a loop."""

    CODE = """
import sys, time
from orchestration.loading.warehouse import connect, WarehouseMissingError
from landed.settings import ROOT
from orchestration.settings import Settings
settings = Settings()
tables = ("group", "identify", "page", "screen", "track")
while True:
    try:
        con = connect(settings, read_only=True)
        con.execute("select 1 from segment.track limit 1")
        break
    except Exception:  # before the first start there is nothing to read
        time.sleep(0.2)
print("reading", flush=True)
reads = 0
while True:
    for table in tables:
        con.execute(f'select count(*), max("timestamp") from segment."{table}"').fetchall()
        con.execute(f'select count(*) from raw."{table}"').fetchall()
        reads += 1
    print(reads, flush=True)
    time.sleep(2)
"""

    def __init__(self, house: House) -> None:
        """Start reading as soon as there is something to read."""
        super().__init__(daemon=True)
        self.reads = 0
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.CODE],
            env=plain_environment() | house.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> None:
        """Count its reads."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.reads = int(line)

    def stop(self) -> str:
        """End it; return what it has printed as errors."""
        self.process.terminate()
        self.join(timeout=10)
        assert self.process.stderr is not None
        return self.process.stderr.read()
