"""A command, run to its end in an installation in a folder of its own, and what it took."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from landed.settings import ROOT
from orchestration.settings import Settings

LOAD = [sys.executable, "-m", "orchestration", "load"]

Parts = dict[str, tuple[float, float]]
"""Part of a load → its seconds by the clock and of processor."""


@dataclass
class Pass:
    """What a process took."""

    clock: float
    processor: float
    memory_mb: float


def median(passes: list[Pass]) -> Pass:
    """What passes took in the middle, of each kind."""
    return Pass(
        statistics.median(one.clock for one in passes),
        statistics.median(one.processor for one in passes),
        statistics.median(one.memory_mb for one in passes),
    )


def settings_of(folder: Path) -> Settings:
    """The settings of the installation in a folder."""
    return Settings(
        landing=folder / "landing",
        warehouse=f"ducklake:sqlite:{folder}/w/catalog.sqlite",
        dagster_home=folder / "dagster",
    )


def environment(folder: Path) -> dict[str, str]:
    """The same, for its processes."""
    settings = settings_of(folder)
    return os.environ | {
        "SEAMLINE_LANDING": str(settings.landing),
        "SEAMLINE_WAREHOUSE": settings.warehouse,
        "DAGSTER_HOME": str(settings.dagster_home),
    }


def run(command: list[str], folder: Path | None = None, given: Path | None = None) -> Pass:
    """Run a command to its end; what it says is shown if it fails, and ends the benchmark.

    Args:
        command: The command.
        folder: The installation whose it is.
        given: What it reads from its standard input.
    """
    where = environment(folder) if folder else None
    with tempfile.TemporaryFile() as output, open(given or os.devnull, "rb") as read:  # noqa: PTH123
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, env=where, stdin=read, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        clock = time.perf_counter() - began
        if process.returncode:
            output.seek(0)
            sys.exit(output.read().decode())
    return Pass(clock, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def load_in_parts(folder: Path) -> Parts:
    """Load what waits, with a clock in each part."""
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.load.parts"],
        cwd=ROOT,
        env=environment(folder),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    parts: Parts = json.loads(said.splitlines()[-1])
    return parts
