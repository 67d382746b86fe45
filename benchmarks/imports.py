"""`make bench-import`: how fast an import is, beside the bare reading of the same gzip."""

import argparse
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from landed.settings import ROOT

CALLS = ("track",) * 6 + ("page",) * 2 + ("identify", "screen")
AGENT = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"


def main() -> None:
    """Measure alternately, and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(report.conditions("msgspec"))
    with tempfile.TemporaryDirectory(prefix="bench-import-") as name:
        path = Path(name, "events.gz")
        size = _write(path, options.events)
        bare, imported = [], []
        for number in range(options.rounds):
            landing = Path(name, f"landing-{number}")
            bare.append(_taken(partial(_read, path)))
            imported.append(_taken(partial(_import, path, landing)))
        landed = sum(file.stat().st_size for file in landing.rglob("*.ndjson"))
    print(f"{options.events:,} events, {size / 1e6:.0f} MB unpacked, {options.rounds} rounds")
    print(_rates("bare reading", options.events, bare))
    print(_rates("import", options.events, imported))
    print(f"landed bytes: {landed / size:.2f} of the unpacked ones")


class Taken(NamedTuple):
    """What a process took: seconds by the clock, and of the processor alone."""

    clock: float
    processor: float


def _taken(work: Callable[[], object]) -> Taken:
    start, before = time.perf_counter(), _processor_seconds()
    work()
    return Taken(time.perf_counter() - start, _processor_seconds() - before)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _rates(name: str, events: int, rounds: list[Taken]) -> str:
    clock = events / statistics.median(one.clock for one in rounds)
    processor = events / statistics.median(one.processor for one in rounds)
    return f"{name}: {clock:,.0f} events/s, {processor:,.0f} per second of one core"


def _read(path: Path) -> None:
    """Read the lines, as a process of its own that does nothing else."""
    script = f"import gzip\nfor line in gzip.open({str(path)!r}): pass"
    subprocess.run([sys.executable, "-c", script], check=True)


def _import(path: Path, landing: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "receiver", "import", path],
        cwd=ROOT,
        env=os.environ | {"SEAMLINE_LANDING": str(landing)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _write(path: Path, number: int) -> int:
    """Write events like those of analytics.js in Segment's archive; return their bytes."""
    rng = random.Random(5)  # noqa: S311
    size = 0
    with gzip.open(path, "wb", compresslevel=6) as file:
        for n in range(number):
            size += file.write(json.dumps(_event(n, rng), separators=(",", ":")).encode() + b"\n")
    return size


def _event(n: int, rng: random.Random) -> dict[str, object]:
    page = f"/products/{n % 900}"
    moment = f"2026-01-05T10:{n // 60 % 60:02d}:{n % 60:02d}.{n % 1000:03d}Z"
    return {
        "anonymousId": f"{rng.getrandbits(128):032x}",
        "channel": "client",
        "context": {
            "ip": f"10.1.2.{n % 250}",
            "library": {"name": "analytics.js", "version": "2.1.0"},
            "page": {"path": page, "referrer": "", "url": f"https://shop.example{page}"},
            "userAgent": AGENT,
        },
        "event": "Product Viewed",
        "integrations": {},
        "messageId": f"ajs-next-{rng.getrandbits(128):032x}",
        "originalTimestamp": moment,
        "properties": {"price": rng.randint(100, 90_000) / 100, "sku": f"sku-{n % 5000}"},
        "receivedAt": moment,
        "sentAt": moment,
        "timestamp": moment,
        "type": CALLS[n % len(CALLS)],
        "userId": f"user-{n % 20_000}",
        "version": 2,
    }


if __name__ == "__main__":
    main()
