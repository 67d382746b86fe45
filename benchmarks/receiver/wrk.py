"""wrk: the load, and what it saw."""

import base64
import itertools
import json
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 32
WRITE_KEY = "bench"

_SCRIPT = Path(__file__).with_name("load.lua")
AUTHORIZATION = "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
_RUNS = itertools.count()
_PROCESS = secrets.token_hex(4)


class Load(NamedTuple):
    """What wrk saw in one run."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    not_2xx: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def load(
    url: str, events: int, seconds: float, connections: int = CONNECTIONS, pause_ms: float = 0
) -> Load:
    """Send requests of so many events each, as fast as they are answered, or with pauses.

    Every event has a messageId of its own, over all runs.

    Raises:
        RuntimeError: wrk gave up; with what it said.
    """
    prefix = f"{_PROCESS}-{next(_RUNS):04d}"
    wrk = shutil.which("wrk") or "wrk"
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s"]
    command += [
        "-s",
        str(_SCRIPT),
        url,
        "--",
        AUTHORIZATION,
        str(events),
        prefix,
        f"{pause_ms:.1f}",
    ]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"wrk: {ended.stdout[-500:]}{ended.stderr[-500:]}")
    return Load(**json.loads(ended.stdout.splitlines()[-1]))
