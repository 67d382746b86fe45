"""The page on loads and their history: tables, a reckoning from the slope, a plot."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.history.copies import COPIES
from benchmarks.history.rows import PAYLOADS
from benchmarks.passes import Parts, Pass
from benchmarks.report import NOTES
from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "history.md"
PLOT = PAGE.with_suffix(".svg")
TITLE = "# How a load bears its history"

RATIO = 1.5
MEMORY_MB = 2_000


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


def write(said: str, sizes: list[Measured]) -> None:
    """Show the figures, and write the page with its plot; the notes at its end stay."""
    lines = [said, "", *_lines(sizes)]
    print("\n".join(lines))
    notes = PAGE.read_text().partition(NOTES)[2] if PAGE.exists() else "\n"
    PAGE.write_text("\n".join([TITLE, "", *_INTRODUCTION, *lines, "", NOTES]) + notes)
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
