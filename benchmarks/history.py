"""`make bench-history`: does a load take longer, the more events the warehouse has?

A history is written directly as Parquet (benchmarks/history_rows.py), and on it 10,000 events are
loaded as `make load` does it, some of them copies of old ones, the oldest among them. Then the
history grows, and it is measured again.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks import report
from benchmarks.history_rows import PAYLOADS, ROUND, SHARE, message_id, payloads, write_history
from benchmarks.landed_events import SHARES, land, land_lines
from benchmarks.passes import LOAD, Parts, Pass, load_in_parts, run, settings_of
from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from receiver.files.envelope import good_line, received_stamps

PAGE = ROOT / "docs" / "benchmarks" / "history.md"
PLOT = PAGE.with_suffix(".svg")
TITLE = "# How a load bears its history"

RATIO = 1.5
MEMORY_MB = 2_000
COPIES = 500
_BEGIN = 1_767_610_800_000_000
"""When the loads that are measured begin, in microseconds since 1970: behind the history."""


class Old(NamedTuple):
    """An event of the history."""

    call: str
    round: int
    number: int


@dataclass
class Measured:
    """Loads on a history.

    Attributes:
        events: those of the history.
        loads: what each load of 10,000 took.
        empty: what a pass with nothing to load took.
        parts: what each part of one more load took.
        megabytes: Parquet files of the tables.
    """

    events: int
    loads: list[Pass]
    empty: Pass
    parts: Parts
    megabytes: float


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10], help="of events")
    parser.add_argument("--loads", type=int, default=3, help="at each size")
    parser.add_argument("--folder", type=Path, help="of the warehouse, which then stays there")
    options = parser.parse_args()
    said = report.conditions("duckdb", "dbt-core", "dbt-duckdb")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="bench-history-"))
    try:
        sizes = list(_measure(folder, sorted(options.millions), options.loads))
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    _write_page(said, sizes)


def _measure(folder: Path, millions: list[int], loads: int) -> Iterator[Measured]:
    settings = settings_of(folder)
    prepare(folder)
    rounds = seed = 0
    for million in millions:
        write_history(settings, rounds, million * 1_000_000 // ROUND)
        rounds = million * 1_000_000 // ROUND
        run(LOAD, folder)
        empty = run(LOAD, folder)
        passes = []
        for _ in range(loads):
            seed += 1
            land_on_history(settings, rounds, seed)
            passes.append(run(LOAD, folder))
        seed += 1
        land_on_history(settings, rounds, seed)
        parts = load_in_parts(folder)
        require_dropped(settings, rounds)
        data = sum(path.stat().st_size for path in settings.data.rglob("*.parquet")) / 1e6
        yield Measured(million * 1_000_000, passes, empty, parts, data)
        middle = statistics.median(one.clock for one in passes)
        print(f"{million} million: {middle:.1f} s, {data:,.0f} MB", flush=True)


def prepare(folder: Path, events: int = 20_000) -> None:
    """Make a warehouse whose tables have all columns, with events that were really loaded."""
    landing = settings_of(folder).landing
    landing.mkdir(parents=True)
    land(landing, events)
    run(LOAD, folder)


def land_on_history(settings: Settings, rounds: int, seed: int) -> None:
    """Land 10,000 events, of which 500 are copies of old ones, the oldest event among them."""
    moment = _BEGIN + seed * 3_600_000_000
    land(settings.landing, ROUND - COPIES, seed, begin=moment, again=0)
    copies = old_events(rounds, seed)
    stamps = received_stamps(moment + 1_800_000_000)
    with connect(settings, read_only=True) as con:
        said = {call: payloads(con, call) for call in SHARES}
    for call in SHARES:
        lines = [
            good_line(
                message_id(*old),
                next(stamps),
                None,
                "web",
                said[call][old.number % len(said[call])],
                "browser",
            )
            for old in copies
            if old.call == call
        ]
        land_lines(settings.landing, call, lines, seed, 900_000)


def old_events(rounds: int, seed: int) -> list[Old]:
    """Choose old events, none twice, the oldest first."""
    rng = random.Random(seed)  # noqa: S311 - made-up events
    calls = [call for call, share in SHARES.items() for _ in range(share)]
    chosen = {Old("track", rounds - 1, 0): None}
    while len(chosen) < COPIES:
        call = rng.choice(calls)
        number = rng.randrange(SHARES[call] * SHARE)
        chosen[Old(call, rng.randrange(rounds), number)] = None
    return list(chosen)


def require_dropped(settings: Settings, rounds: int) -> None:
    """See that of the oldest event, which came once more with each load, one row is left.

    Exits:
        There are others, or the row is another copy.
    """
    oldest = message_id("track", rounds - 1, 0)
    with connect(settings, read_only=True) as con:
        rows = con.execute(
            f'select _seamline_file from "{settings.schema_name}".track where message_id = $1',
            [oldest],
        ).fetchall()
        copies = con.execute(
            "select count(*) from raw.track where message_id = $1", [oldest]
        ).fetchall()
    if [("-history-" in file) for (file,) in rows] != [True] or copies < [(2,)]:
        sys.exit(f"The oldest event, {oldest}, has the rows {rows} of {copies} copies.")


def _write_page(said: str, sizes: list[Measured]) -> None:
    lines = [said, "", *_lines(sizes)]
    print("\n".join(lines))
    notes = PAGE.read_text().partition(report.NOTES)[2] if PAGE.exists() else "\n"
    PAGE.write_text("\n".join([TITLE, "", *_INTRODUCTION, *lines, "", report.NOTES]) + notes)
    _plot(sizes)


_INTRODUCTION = f"""\
Written by `make bench-history`, up to the notes at its end.
The history is not loaded but written directly as Parquet, by SQL, with all that loads would have
left: raw rows, final rows, ledger, counts, journal. A test holds each column and the counts of
such a warehouse against what the models make of its raw rows. Its events have ids and times of
their own and {PAYLOADS} different payloads of each call, so that a disk holds them;
in the files of real events more is written.
Then 10,000 events of 1.3 kB come, {COPIES} of them copies of events anywhere in the history, the
oldest one always among them, and are loaded as `make load` does it. The oldest is a row once, with
the file of its first copy, or the benchmark stops.

![how long a load takes, by the events of history](history.svg)
""".split("\n")


def _lines(sizes: list[Measured]) -> Iterator[str]:
    yield "Medians of so many loads, each a process: its imports, dbt, all models, the counts."
    yield ""
    yield (
        "| events of history | loads | seconds | seconds of processor | memory MB | nothing to do, "
        "seconds | Parquet MB |"
    )
    yield "|---|---|---|---|---|---|---|"
    for one in sizes:
        load = _median(one.loads)
        yield (
            f"| {one.events:,} | {len(one.loads)} | {load.clock:.1f} | {load.processor:.1f} "
            f"| {load.memory_mb:,.0f} | {one.empty.clock:.1f} | {one.megabytes:,.0f} |"
        )
    yield ""
    yield from _reckoning(sizes)
    yield ""
    yield "What each part took in one load more, in seconds (and of processor):"
    yield ""
    yield "| part | " + " | ".join(f"{one.events:,}" for one in sizes) + " |"
    yield "|---" * (len(sizes) + 1) + "|"
    for part in sizes[0].parts:
        cells = [f"{one.parts[part][0]:.2f} ({one.parts[part][1]:.2f})" for one in sizes]
        yield f"| {part} | {' | '.join(cells)} |"


def _median(passes: list[Pass]) -> Pass:
    return Pass(
        *(
            statistics.median(getattr(one, name) for one in passes)
            for name in ("clock", "processor", "memory_mb")
        )
    )


def _reckoning(sizes: list[Measured]) -> Iterator[str]:
    few, many = sizes[0], sizes[-1]
    first, last = _median(few.loads), _median(many.loads)
    ratio = last.clock / first.clock
    memory = last.memory_mb
    yield (
        f"- {many.events:,} beside {few.events:,}: {ratio:.2f} by the clock, "
        f"{last.processor / first.processor:.2f} by processor; at 100 million to reach {RATIO} of "
        f"the time at one million: {_reached(ratio, RATIO, many)}."
    )
    fits = _reached(memory, MEMORY_MB, many)
    yield f"- Memory: {memory:,.0f} MB, to reach {MEMORY_MB:,}: {fits}."
    if len(sizes) > 1:
        grown = (many.events - few.events) / 1e9
        slope = (last.clock - first.clock) / grown
        processor = (last.processor - first.processor) / grown
        for billions in (1, 10):
            yield (
                f"- {billions} billion, by the slope: {first.clock + slope * billions:.0f} s and "
                f"{first.processor + processor * billions:.0f} s of processor a load, "
                f"{many.megabytes / many.events * billions * 1e6:,.0f} GB of such Parquet files. "
                "Reckoned, not run."
            )


def _reached(value: float, limit: float, largest: Measured) -> str:
    if value > limit:
        return "**not reached**"
    return "reached" if largest.events >= 100_000_000 else f"kept up to {largest.events:,}"  # noqa: PLR2004


def _plot(sizes: list[Measured]) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - the page alone needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "history"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    events = [one.events for one in sizes]
    for name, title in (("clock", "by the clock"), ("processor", "of processor")):
        seconds = [getattr(_median(one.loads), name) for one in sizes]
        axis.plot(events, seconds, marker="o", label=title)
    axis.set_xscale("log")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("events of history")
    axis.set_ylabel("seconds of a load of 10,000")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    main()
