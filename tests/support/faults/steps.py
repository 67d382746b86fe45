"""Processes that are killed at a step that was counted, not after a time: no kill misses.

A step is a call that changes or syncs something on the disk, or in an object store, or asks the
warehouse.
"""

import json
import os
import signal
import subprocess
import sys
from types import FrameType
from typing import Any

STEPS = frozenset(
    {"execute", "fsync", "fdatasync", "rename", "replace", "unlink", "rmdir", "mkdir", "write"}
    | {"put", "delete"}  # of an object store
)
NEVER = sys.maxsize


def steps_of(setup: str, work: str) -> int:
    """Run Python code to its end.

    Args:
        setup: what comes first and is not counted, its imports.
        work: what is counted.

    Returns:
        How many steps the work took.
    """
    done = _run(setup, work, NEVER)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.splitlines()[-1])


def kill_at(step: int, setup: str, work: str) -> None:
    """Run the same until it begins a step, and kill it there; it has to come to that step."""
    done = _run(setup, work, step)
    assert done.returncode == -signal.SIGKILL, f"it did not come to step {step}: {done.stderr}"


def _run(setup: str, work: str, last: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.support.faults.steps"],
        input=json.dumps([setup, work, last]),
        capture_output=True,
        text=True,
        check=False,
    )


class Count:
    """Counts the steps of this process, and ends it with the last."""

    def __init__(self, last: int) -> None:
        """Choose the last one; the first is 0."""
        self.steps = 0
        self._last = last

    def __call__(self, _: FrameType, what: str, call: Any) -> None:
        """Be told of each call, as `sys.setprofile` does."""
        if what == "c_call" and getattr(call, "__name__", "") in STEPS:
            if self.steps == self._last:
                os.kill(os.getpid(), signal.SIGKILL)
            self.steps += 1


def _main() -> None:
    setup, work, last = json.loads(sys.stdin.read())
    names: dict[str, Any] = {}
    exec(setup, names)  # noqa: S102 - a test's own
    count = Count(last)
    sys.setprofile(count)
    exec(work, names)  # noqa: S102
    sys.setprofile(None)
    sys.stderr.write(f"\n{count.steps}\n")


if __name__ == "__main__":
    _main()
