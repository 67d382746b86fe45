"""A house of the test's own: the whole stack, really started, in a folder and on free ports."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from landed.settings import ROOT
from tests.support.house import TABLES, House
from tests.support.processes import free_port, plain_environment
from tests.support.users_packages import hide_developers_packages


def _module(name: str) -> Callable[[list[str]], bool]:
    return lambda command: command[1:3] == ["-m", name]


def _is_code_server(command: list[str]) -> bool:
    return "api" in command and "grpc" in command


def _is_code_proxy(command: list[str]) -> bool:
    return "code-server" in command and command[1:3] == ["-m", "dagster"]


def _is_run_worker(command: list[str]) -> bool:
    """A run's own process: spawned by the code server, while a run is on its way."""
    return "execute_run" in command or any("spawn_main" in part for part in command)


VICTIMS: dict[str, Callable[[list[str]], bool]] = {
    "receiver": _module("receiver"),
    "webserver": _module("stack.dagster_ui"),
    "daemon": _module("stack.dagster_daemon"),
    "run worker": _is_run_worker,
    "code server": _is_code_server,
    "code proxy": _is_code_proxy,
}
"""The processes of a stack, and how each is known by its command line."""


class RunningHouse(House):
    """A house whose stack runs: ports, processes, and what can be asked of them from outside."""

    def __init__(self, folder: Path) -> None:
        """Choose the ports; nothing is started."""
        self.port = free_port()
        super().__init__(folder, port=self.port, dagster_port=free_port())
        self.environment |= hide_developers_packages(folder / "users")
        self.log = folder / "stack.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.acknowledged: list[str] = []

    @property
    def dagster_url(self) -> str:
        """Where its Dagster UI is."""
        return f"http://127.0.0.1:{self.settings.dagster_port}"

    def module(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `python -m stack` or `demo` with some arguments; its output goes to the log."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", name, *arguments],
                env=plain_environment() | self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self.process

    def demo(self, seed: int) -> tuple[int, str]:
        """Run the demo to its end; return its exit status and what it printed."""
        before = self.log.stat().st_size if self.log.exists() else 0
        process = self.module("demo", "--once", "--seed", str(seed), "--timeout", "300")
        status = process.wait(timeout=360)
        return status, self.log.read_bytes()[before:].decode()

    def start(self) -> None:
        """Start the stack for real use, and wait until the receiver is ready."""
        process = self.module("stack", "run")
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
            self.start()

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
            auth=(key["source"][0]["server_keys"][0], ""),
            content=json.dumps({"batch": batch}),
            timeout=10,
        )
        answer.raise_for_status()
        self.acknowledged += message_ids

    def counts(self, schema: str) -> dict[str, int]:
        """Rows per table."""
        return {t: self.rows(f'select count(*) from {schema}."{t}"')[0][0] for t in TABLES}

    def processes(self) -> list[psutil.Process]:
        """Every process of the stack, wherever in its tree."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def running(self, victim: str) -> psutil.Process | None:
        """The process of that name in `VICTIMS`, if there is one now."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if VICTIMS[victim](process.cmdline()):
                    return process
        return None

    def wait_for(self, victim: str, patience: float = 60) -> psutil.Process:
        """Wait until there is such a process."""
        deadline = time.monotonic() + patience
        while (found := self.running(victim)) is None:
            assert time.monotonic() < deadline, f"no {victim}:\n{self.tail()}"
            time.sleep(0.05)
        return found

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
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseMissingError
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

    def __init__(self, house: RunningHouse) -> None:
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
