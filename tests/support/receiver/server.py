"""A really started receiver, in processes of its own: for what only a server shows."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import psutil
import pytest

from landed.settings import ROOT
from receiver.senders.sources import write_sources
from tests.support.processes import free_port
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import SOURCES

START_SECONDS = 60
ONE_CONNECTION_EACH = httpx.Limits(max_keepalive_connections=0)


class RunningReceiver(Landing):
    """One `python -m receiver`, and its landing folder."""

    def __init__(
        self,
        folder: Path,
        prelude: str = "",
        *,
        environment: Mapping[str, str] | None = None,
        **settings: object,
    ) -> None:
        """Start it, and wait until it is ready.

        Args:
            folder: where landing/, sources.toml and the log go.
            prelude: Python that runs in the process before the receiver does.
            environment: more variables of the process.
            settings: settings other than the defaults of these tests.
        """
        self.landing = folder / "landing"
        self.log = folder / "stderr"
        self.port = free_port()
        self.http = httpx.Client(base_url=self.url, timeout=30, limits=ONE_CONNECTION_EACH)
        if not (folder / "sources.toml").exists():
            write_sources(folder / "sources.toml", SOURCES)
        defaults = {"port": self.port, "reserve_bytes": 0, "workers": 1}
        # tests are in a hurry
        defaults |= {"source_events_per_second": 10**6, "refused_time_share": 1}
        self.process = start_process(
            folder, prelude, self.log, environment, **(defaults | settings)
        )
        self._wait_until_live()

    def _wait_until_live(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.get("/health/live").is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        pytest.fail("the receiver did not start: " + self.log.read_text())

    def connect(self, timeout: float = 30) -> http.client.HTTPConnection:
        """Return a connection for one request after the other."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def processes(self) -> list[int]:
        """Return the process ids of the master and its workers."""
        assert self.process.poll() is None
        return [self.process.pid, *self.workers()]

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def most_memory(self) -> int:
        """Return the most bytes that a worker has ever held; only Linux tells it."""
        lines = [
            line
            for worker in self.workers()
            for line in Path(f"/proc/{worker}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ]
        return max(int(line.split()[1]) * 1024 for line in lines)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it gently; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the master and its workers: the session they were started in is theirs alone."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(timeout=10)


def start_process(
    folder: Path,
    prelude: str,
    log: Path,
    more: Mapping[str, str] | None = None,
    **settings: object,
) -> subprocess.Popen[bytes]:
    """Start `python -m receiver` with its files in a folder and nothing else of this machine."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SEAMLINE_")}
    settings = {"landing": folder / "landing", "sources": folder / "sources.toml"} | settings
    environment |= {f"SEAMLINE_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= more or {}
    run = "import runpy; runpy.run_module('receiver', run_name='__main__')"
    with log.open("ab") as stderr:
        return subprocess.Popen(
            [sys.executable, "-c", f"{prelude}\n{run}"],
            cwd=ROOT,
            env=environment,
            stderr=stderr,
            start_new_session=True,
        )
