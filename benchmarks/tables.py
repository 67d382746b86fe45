"""`make bench-tables`: what very many names of properties cost, from landed files to final tables.

Two warehouses alternately, with as many events of the same size: in one they have the same ten
properties, in the other each has ten of many thousand names.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from benchmarks import report
from landed.settings import ROOT
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

PAGE = ROOT / "docs" / "benchmarks" / "tables.md"
PROPERTIES = 10


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    said = report.conditions("duckdb", "dbt-core", "dbt-duckdb")
    rounds = []
    for number in range(options.rounds):
        pair = [_measure(options.events, names) for names in (PROPERTIES, options.names)]
        print(f"{number + 1}/{options.rounds}: " + ", ".join(f"{sum(one):.1f} s" for one in pair))
        rounds.append(pair)
    lines = [said, "", *_table(rounds, options.events, options.names)]
    print("\n".join(lines))
    PAGE.write_text(
        "\n".join(["# What many names of properties cost", "", *_INTRODUCTION, *lines, ""])
    )


_INTRODUCTION = [
    "Written by `make bench-tables`. A table has columns for the fields it saw first, up to 1,000;",
    "all others are listed in `segment.field`.",
    "",
]


def _measure(events: int, names: int) -> tuple[float, float, float]:
    """Seconds of the load, of the first run of dbt, and of both for a second, equal load."""
    with tempfile.TemporaryDirectory(prefix="bench-tables-") as name:
        folder = Path(name)
        settings = Settings(
            landing=folder / "landing", warehouse=f"ducklake:sqlite:{folder}/w/catalog.sqlite"
        )
        _land(settings.landing, "1", events, names)
        started = time.perf_counter()
        load(settings)
        loaded = time.perf_counter()
        _dbt(settings, folder)
        built = time.perf_counter()
        _land(settings.landing, "2", events, names)
        again = time.perf_counter()
        load(settings)
        _dbt(settings, folder)
        done = time.perf_counter()
        with connect(settings, read_only=True) as con:
            row = con.execute("select count(*) from segment.track").fetchone()
        if row != (2 * events,):
            sys.exit(f"{row} rows instead of {2 * events}")
    return loaded - started, built - loaded, done - again


def _land(landing: Path, run: str, events: int, names: int) -> None:
    folder = landing / "track"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"2026{run}-bench-1-00000000-000001.ndjson").open("wb") as file:
        for line in _lines(run, events, names):
            file.write(line)


def _lines(run: str, events: int, names: int) -> Iterator[bytes]:
    context = {
        "ip": "203.0.113.7",
        "userAgent": "Mozilla/5.0",
        "page": {"url": "https://x.example"},
    }
    for number in range(events):
        places = [(number * PROPERTIES + place) % names for place in range(PROPERTIES)]
        payload = {
            "type": "track",
            "event": "Bench",
            "userId": f"u{number % 1000}",
            "context": context,
            "properties": {f"property_{place:05d}": number for place in places},
        }
        covered = (
            f',"message_id":"{run}-{number}","received_at":"2026-11-22T05:24:46.123456Z",'
            f'"sent_at":null,"source":"web","payload":{json.dumps(payload)}}}'
        ).encode()
        yield b'{"v":1,"crc":"%08x"' % crc32(covered) + covered + b"\n"


def _dbt(settings: Settings, folder: Path) -> None:
    subprocess.run(
        [Path(sys.executable).with_name("dbt"), "run", "--quiet", "--project-dir", "dbt_project"],
        cwd=ROOT,
        env=os.environ
        | {"SEAMLINE_WAREHOUSE": settings.warehouse, "DBT_TARGET_PATH": str(folder / "target")},
        check=True,
    )


def _table(
    rounds: list[list[tuple[float, float, float]]], events: int, names: int
) -> Iterator[str]:
    yield f"{events:,} `track` calls, {len(rounds)} rounds, medians of seconds."
    yield ""
    yield f"| | {PROPERTIES} names | {names:,} names | ratio |"
    yield "|---|---|---|---|"
    parts = ("load", "dbt, the tables being made", "a second load of as many, and dbt")
    for place, part in enumerate(parts):
        few, many = (statistics.median(pair[which][place] for pair in rounds) for which in (0, 1))
        yield f"| {part} | {few:.1f} | {many:.1f} | {many / few:.2f} |"
    few, many = (statistics.median(sum(pair[which]) for pair in rounds) for which in (0, 1))
    yield f"| all | {few:.1f} | {many:.1f} | {many / few:.2f} |"


if __name__ == "__main__":
    main()
