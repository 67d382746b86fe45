"""docs/benchmarks/README.md: the tables, the plot, and what a month costs."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import report
from benchmarks.compare import guard, peers, query_stores
from benchmarks.compare.peers import Loads
from benchmarks.compare.questions import QUESTIONS
from benchmarks.compare.stored import Stored
from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "README.md"
PLOT = PAGE.with_name("peers.svg")

AIMS = [
    guard.Aim("faster than Singer", 8),
    guard.Aim("faster than dlt", 20),
    guard.Aim("queries beside a file", 1.2),
    guard.Aim("bytes beside JSON", 0.25),
]

MONTHS = (11_000_000, 1_000_000_000)
_SECONDS_OF_A_MONTH = 30 * 86_400
_RECEIVED_ALONE, _RECEIVED_IN_BATCHES = 580, 23
"""Seconds of processor for a million events, by receiver.md: each alone, and in batches of 100."""


class Prices(NamedTuple):
    """A rented machine, as it is assumed to be."""

    a_month: float
    cores: int
    disk_gb: int


class Measured(NamedTuple):
    """What a run has found."""

    conditions: str
    is_shared: bool
    loads: Loads
    stored: Stored
    asked_events: int
    asked_sizes: dict[str, int]
    answers: query_stores.Answers


def write(measured: Measured, ratios: guard.Ratios, prices: Prices) -> None:
    """Write the page, whose notes stay, and its plot."""
    notes = PAGE.read_text().partition(report.NOTES)[2] if PAGE.exists() else "\n"
    body = "\n".join([_INTRODUCTION, *lines(measured, ratios, prices), "", report.NOTES])
    PAGE.write_text(body + notes)
    _plot(measured)


_INTRODUCTION = """\
# How fast it is beside others

Written by `make bench`, up to the notes at its end: the same events, in one run on one machine.
Ratios hold better on another machine than seconds do, and those of processor best.

| page | what it measures |
|---|---|
| [load](load.md) | a load beside a script of SQL, part by part |
| [history](history.md) | a load on 1 million events of history and on many more |
| [freshness](freshness.md) | from the receiver's answer until the row is read |
| [receiver](receiver.md) | requests a second beside a bare handler and nginx |
| [tables](tables.md) | what very many names of properties cost |
| [upkeep](upkeep.md) | thousands of loads with upkeep and without |

![events a second of processor, and what questions take](peers.svg)
"""


def lines(measured: Measured, ratios: guard.Ratios, prices: Prices) -> Iterator[str]:
    """Yield what was measured, in Markdown."""
    yield measured.conditions
    yield (
        "Others used the machine meanwhile: times by the clock are longer than they had to be, and "
        "their ratios uncertain; those of processor are the ones to go by."
        if measured.is_shared
        else "Nothing else was run on the machine."
    )
    yield ""
    for aim in AIMS:
        reached = "reached" if aim.is_reached(ratios) else "**not reached**"
        bound = "at least" if aim.ratio in guard.HIGHER_IS_BETTER else "at most"
        yield f"- {aim.ratio}: {ratios[aim.ratio]:.2f}, to be {bound} {aim.limit:g}: {reached}."
    yield ""
    yield from _loads(measured.loads, measured.stored)
    yield ""
    yield from _questions(measured, ratios)
    yield ""
    yield from _bytes(measured.loads, measured.stored)
    yield ""
    yield from _month(measured.loads, measured.stored, prices)


def _loads(loads: Loads, stored: Stored) -> Iterator[str]:
    ours = loads.ways[peers.OURS]
    yield "## Loads"
    yield ""
    yield (
        f"{loads.events:,} events in landed files, some twice, each way in a process and a "
        f"database of its own, less what it takes for {peers.FEW:,} (the median of {peers.TIMES} "
        "times): so what is fixed, the start of a process and of dbt, is not in it. A ratio says "
        "how many times as long as ours. What a tap takes to write Singer's messages is not "
        "counted. Only ours proves checksums, keeps every copy with its payload and counts what "
        "became of each; dlt "
        "makes tables of arrays besides."
    )
    yield ""
    yield (
        "| | seconds | ratio | seconds of processor | ratio | CPU s a million events | memory MB "
        "| rows |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, one in loads.ways.items():
        yield (
            f"| {name} | {one.clock:.1f} | {one.clock / ours.clock:.2f} | {one.processor:.1f} "
            f"| {one.processor / ours.processor:.2f} "
            f"| {one.processor / loads.lines * 1e6:,.0f} | {one.whole.memory_mb:,.0f} "
            f"| {one.rows:,} |"
        )
    yield ""
    lacking = [name for name, one in loads.ways.items() if one.rows != loads.events]
    if lacking:
        yield f"Not a row for each event: {', '.join(lacking)}."
        yield ""
    empty = ", ".join(f"{name} {one.few.clock:.1f} s" for name, one in loads.ways.items())
    yield f"For those few: {empty}."
    yield (
        f"Upkeep behind it, once: {stored.upkeep.clock:.1f} s, "
        f"{stored.upkeep.processor:.1f} s of processor."
    )


def _questions(measured: Measured, ratios: guard.Ratios) -> Iterator[str]:
    yield "## Questions"
    yield ""
    yield (
        f"{measured.asked_events:,} events: the loaded ones, made more by SQL with other ids, "
        "users and times. All three give the same answer to each "
        "([the SQL](../../benchmarks/compare/questions.py)). Milliseconds, and of processor; "
        "medians, but JSON's is of one time."
    )
    yield ""
    stores = next(iter(measured.answers.values()))
    yield f"| | {' | '.join(stores)} | ratio to the file | of processor |"
    yield "|---" * (len(stores) + 3) + "|"
    for question in QUESTIONS:
        by_store = measured.answers[question]
        cells = [
            f"{one.clock * 1e3:,.0f} ({one.processor * 1e3:,.0f})" for one in by_store.values()
        ]
        ours, file = by_store[query_stores.OURS], by_store[query_stores.FILE]
        yield (
            f"| {question} | {' | '.join(cells)} | {ours.clock / file.clock:.2f} "
            f"| {ours.processor / file.processor:.2f} |"
        )
    megabytes = " | ".join(f"{size / 1e6:,.0f}" for size in measured.asked_sizes.values())
    yield (
        f"| MB of these tables, and the ratios' geometric mean | {megabytes} "
        f"| {ratios['queries beside a file']:.2f} | {ratios['queries by processor']:.2f} |"
    )


def _bytes(loads: Loads, stored: Stored) -> Iterator[str]:
    yield "## Bytes"
    yield ""
    yield (
        "Of all that was loaded above, behind upkeep. JSON is the events alone, a line each, "
        f"{loads.json_bytes / loads.kept_lines:,.0f} bytes."
    )
    yield ""
    yield "| | bytes a copy | of the JSON |"
    yield "|---|---|---|"
    for name, size in (
        ("journal, and what waits to be packed", stored.landing),
        ("archive of the landed files", stored.archive),
        ("raw tables, with every payload", stored.raw),
        ("final tables and all else", stored.final),
        ("catalog", stored.catalog),
        ("all", stored.whole),
    ):
        yield f"| {name} | {size / loads.kept_lines:,.0f} | {size / loads.json_bytes:.3f} |"


def _month(loads: Loads, stored: Stored, prices: Prices) -> Iterator[str]:
    second = (
        loads.ways[peers.OURS].processor / loads.lines + stored.upkeep.processor / loads.kept_lines
    )
    yield "## A month"
    yield ""
    yield (
        f"Reckoned, not run. A machine of {prices.cores} cores with {prices.disk_gb} GB of disk is "
        f"**assumed** to cost {prices.a_month:g} a month (`--price`, `--cores`, `--disk-gb`): put "
        "in what yours costs. Processor is that of load and upkeep above, and of "
        f"[the receiver](receiver.md): {_RECEIVED_ALONE} s a million events that come alone, "
        f"{_RECEIVED_IN_BATCHES} s in batches of 100. On top comes what the stack takes for its "
        "passes while events come, [more than a core](freshness.md) however few they are: it is "
        "the machine's idle time that they use, and with more events a pass has more."
    )
    yield ""
    yield (
        "| events a month | a second | cores, alone | cores, in batches | GB more each month "
        "| machines, in batches | months until the disk is full | cost a million events |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for events in MONTHS:
        alone, batches = (
            events * (second + one / 1e6) / _SECONDS_OF_A_MONTH
            for one in (_RECEIVED_ALONE, _RECEIVED_IN_BATCHES)
        )
        gigabytes = events * stored.whole / loads.kept_lines / 1e9
        machines = max(1, -(-batches // prices.cores))
        yield (
            f"| {events:,} | {events / _SECONDS_OF_A_MONTH:,.1f} | {alone:.2f} | {batches:.2f} "
            f"| {gigabytes:,.1f} | {machines:.0f} | {prices.disk_gb * machines / gigabytes:,.1f} "
            f"| {prices.a_month * machines / events * 1e6:,.2f} |"
        )
    yield ""
    yield (
        "A warehouse has one writer, so it does not go beyond one machine: where the cores of load "
        "and receiver come near those of the machine, take a larger one. A disk that is full too "
        "soon is what a bucket for the archive, or a larger disk, is for."
    )


def _plot(measured: Measured) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - the page alone needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "peers"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 4), layout="constrained", width_ratios=[2, 3]
    )
    ways = measured.loads.ways
    rates = [measured.loads.lines / one.processor for one in ways.values()]
    bars = left.barh(list(ways), rates, color=["tab:blue", *["tab:gray"] * (len(ways) - 1)])
    left.bar_label(bars, [f"{rate:,.0f}" for rate in rates], padding=3)
    left.set_title("events loaded in a second of processor", fontsize="medium")
    left.invert_yaxis()
    left.set_xlim(0, max(rates) * 1.3)
    for name, color in zip(
        (query_stores.OURS, query_stores.FILE, query_stores.JSON),
        ("tab:blue", "tab:gray", "tab:orange"),
        strict=True,
    ):
        taken = [measured.answers[one][name].processor * 1e3 for one in QUESTIONS]
        right.plot(taken, list(QUESTIONS), "o", label=name, color=color)
    right.set_xscale("log")
    right.set_title(
        f"ms of processor for a question of {measured.asked_events:,} events", fontsize="medium"
    )
    right.invert_yaxis()
    right.grid(alpha=0.3)
    handles, labels = right.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=3, fontsize="small")
    figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)
