"""`make bench-load`: landed events to final tables, beside a script of SQL that does the same work.

Both alternately, each in a process of its own with a warehouse of its own, less what a pass takes
that has nothing to do. Then one pass more with a clock in each of its parts.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import landed_events, report
from benchmarks.passes import LOAD, Parts, Pass, load_in_parts, median, run
from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "load.md"
RATIO = 1.5
MEMORY_MB = 2_000


@dataclass
class Round:
    """One load by either way, and a pass of each with nothing to load."""

    ours: Pass
    ours_empty: Pass
    sql: Pass
    sql_empty: Pass


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    said = report.conditions("duckdb", "pyarrow", "dbt-core", "dbt-duckdb")
    with tempfile.TemporaryDirectory(prefix="bench-load-") as name:
        rounds = []
        for number in range(options.rounds):
            folder = Path(name, str(number))
            one = _round(folder, options.events)
            rounds.append(one)
            print(f"{number + 1}/{options.rounds}: {one.ours.clock:.1f} s, {one.sql.clock:.1f} s")
        parts = _parts(Path(name, "parts"), options.events)
    lines = [said, "", *_table(rounds, options.events), "", *_parts_table(parts, options.events)]
    print("\n".join(lines))
    notes = PAGE.read_text().partition(report.NOTES)[2]
    measured = "\n".join(["# How fast a load is", "", *_INTRODUCTION, *lines, ""])
    PAGE.write_text(f"{measured}\n{report.NOTES}{notes}")


_INTRODUCTION = [
    "Written by `make bench-load`, up to the notes at its end.",
    "What it measures, and what was tried: [performance](../performance.md).",
    "",
]


def _round(folder: Path, events: int) -> Round:
    landing = folder / "landing"
    landing.mkdir(parents=True)
    sql = [sys.executable, "-m", "benchmarks.load.sql", str(landing)]
    sql_empty = run([*sql, str(folder / "sql-empty")])
    ours_empty = _prepared(folder)
    landed_events.land(landing, events)
    in_sql = run([*sql, str(folder / "sql")])
    return Round(run(LOAD, folder), ours_empty, in_sql, sql_empty)


def _prepared(folder: Path) -> Pass:
    """Make a warehouse with all its tables, and pass over it once more, with nothing to do."""
    run(LOAD, folder)
    return run(LOAD, folder)


def _parts(folder: Path, events: int) -> Parts:
    """What each part takes for the events, less what it takes with none."""
    landing = folder / "landing"
    landing.mkdir(parents=True)
    _prepared(folder)
    empty = load_in_parts(folder)
    landed_events.land(landing, events)
    whole = load_in_parts(folder)
    return {
        name: (clock - empty[name][0], processor - empty[name][1])
        for name, (clock, processor) in whole.items()
    }


def _table(rounds: list[Round], events: int) -> Iterator[str]:
    ours = _less([one.ours for one in rounds], [one.ours_empty for one in rounds])
    sql = _less([one.sql for one in rounds], [one.sql_empty for one in rounds])
    yield (
        f"{events:,} events, {len(rounds)} rounds, medians, each less a pass with nothing to load; "
        "memory is the process's, whole."
    )
    yield ""
    yield "| | seconds | events/s | seconds of processor | memory MB |"
    yield "|---|---|---|---|---|"
    for name, one in (("`make load`", ours), ("a script of SQL", sql)):
        yield (
            f"| {name} | {one.clock:.1f} | {events / one.clock:,.0f} | {one.processor:.1f} "
            f"| {one.memory_mb:,.0f} |"
        )
    by_clock, by_processor = ours.clock / sql.clock, ours.processor / sql.processor
    by_memory = ours.memory_mb / sql.memory_mb
    yield f"| ratio | {by_clock:.2f} | | {by_processor:.2f} | {by_memory:.2f} |"
    yield ""
    yield f"- Clock against SQL: {by_clock:.2f}, to reach {RATIO}: {_reached(by_clock, RATIO)}."
    memory = ours.memory_mb
    yield f"- Memory: {memory:,.0f} MB, to reach {MEMORY_MB:,}: {_reached(memory, MEMORY_MB)}."
    empty = statistics.median(one.ours_empty.clock for one in rounds)
    yield f"- A pass with nothing to load: {empty:.1f} s."


def _reached(value: float, limit: float) -> str:
    return "reached" if value <= limit else "**not reached**"


def _less(passes: list[Pass], empty: list[Pass]) -> Pass:
    pairs = list(zip(passes, empty, strict=True))
    return median(
        [
            Pass(one.clock - other.clock, one.processor - other.processor, one.memory_mb)
            for one, other in pairs
        ]
    )


def _parts_table(parts: Parts, events: int) -> Iterator[str]:
    yield "Where the time goes, in one more pass; µs are of each event."
    yield ""
    yield "| part | seconds | µs | µs of processor |"
    yield "|---|---|---|---|"
    for name, (clock, processor) in parts.items():
        yield (
            f"| {name} | {clock:.1f} | {clock / events * 1e6:.1f} "
            f"| {processor / events * 1e6:.1f} |"
        )


if __name__ == "__main__":
    main()
