"""One pass over what has landed, with a clock in each part: `python -m benchmarks.load.parts`.

The last line of its output is JSON: the name of each part, with its seconds by the clock and of
processor. What a part calls that is a part itself counts there alone; what a thread reads beside
others counts as its own, and its processor as theirs too.
"""

import json
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from orchestration.audit import completeness
from orchestration.loading import fields, insert, landed_file, load
from orchestration.models import run
from orchestration.one_pass import load_once
from orchestration.settings import Settings

PARTS = {
    "read the files, prove each line": (landed_file, "read"),
    "lines to Arrow": (insert, "events_table"),
    "raw rows, counts, ledger": (load, "insert_files"),
    "note the fields": (fields.FieldNotes, "note"),
    "add to `raw.field`": (fields.FieldNotes, "add"),
    "dbt and the models": (run, "_invoke"),
    "completeness": (completeness, "count"),
}

Times = dict[str, list[float]]


class _Running(threading.local):
    """What the parts that a thread is in have spent in others."""

    def __init__(self) -> None:
        self.parts: list[list[float]] = []


def main() -> None:
    """Do it."""
    times: Times = {name: [0.0, 0.0] for name in PARTS}
    running = _Running()
    for name, (owner, function) in PARTS.items():
        setattr(owner, function, _timed(getattr(owner, function), times[name], running))
    load_once(Settings())
    print(json.dumps(times))


def _timed(
    function: Callable[..., Any], taken: list[float], running: _Running
) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any, **named: Any) -> Any:
        inner = [0.0, 0.0]
        running.parts.append(inner)
        is_main = threading.current_thread() is threading.main_thread()
        processor = time.process_time if is_main else time.thread_time
        began = (time.perf_counter(), processor())
        try:
            return function(*arguments, **named)
        finally:
            running.parts.pop()
            whole = (time.perf_counter() - began[0], processor() - began[1])
            for place in (0, 1):
                taken[place] += whole[place] - inner[place]
                if running.parts:
                    running.parts[-1][place] += whole[place]

    return timed


if __name__ == "__main__":
    main()
