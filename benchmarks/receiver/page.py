"""The page on the receiver, section by section; what is not measured this time stays."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from benchmarks.receiver.patience import Patience
from benchmarks.receiver.soak import Sample
from benchmarks.receiver.speed import BATCH, SINGLE, Results
from benchmarks.receiver.wrk import CONNECTIONS, Load
from benchmarks.report import NOTES, conditions
from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "receiver.md"
BARE, OURS, NGINX = "Flask, only reads the body", "this receiver", "nginx, bodies to its log"

_TITLE = "# How fast the receiver is"
_LOADS = {SINGLE: "single events of 1.1 kB", BATCH: "batches of 100 (106 kB)"}
_SINGLE_TARGET, _BATCH_TARGET, _P99_TARGET_MS = 0.6, 0.4, 25
SHARE = 0.8
_FLAT = 1.05


def write_page(sections: Mapping[str, Sequence[str]]) -> None:
    """Write the sections into the page; those not measured this time stay, the notes too."""
    kept = PAGE.read_text() if PAGE.exists() else f"{_TITLE}\n\n{NOTES}\n"
    parts = re.split(r"^(?=## )", kept, flags=re.MULTILINE)[1:]
    old = {part.partition("\n")[0]: part for part in parts}
    notes = old.pop(NOTES, f"{NOTES}\n")
    new = {
        f"## {title}": "\n".join([f"## {title}", "", *lines, "", ""])
        for title, lines in sections.items()
    }
    introduction = (
        "Written by `make bench-receiver`, up to the notes at its end. "
        "What the figures mean on another machine: the ratios hold better than the rates."
    )
    PAGE.parent.mkdir(exist_ok=True)
    measured = "".join((old | new).values())
    PAGE.write_text(f"{_TITLE}\n\n{introduction}\n\n{measured}{notes}")


def server_conditions() -> str:
    """Return the same for a benchmark of servers, which share the machine with wrk."""
    said = subprocess.run(
        [shutil.which("nginx") or "nginx", "-v"], capture_output=True, text=True, check=False
    ).stderr
    nginx = said.strip().removeprefix("nginx version: ").replace("/", " ")
    ours = conditions("flask", "gunicorn", "gevent", "msgspec").removesuffix(".")
    return f"{ours} · {nginx}, the cores shared with wrk."


def speed_lines(results: Results, rounds: int, seconds: float) -> Iterator[str]:
    """Yield the table of the three servers, and what was to be reached."""
    yield (
        f"{CONNECTIONS} connections, {rounds} rounds of {seconds:g} s each, "
        "the servers alternately; "
        "medians. CPU is the processor time of the server's processes for one request, user and "
        "system: neighbours on the machine disturb it less than they do the rates."
    )
    for size, reference in ((SINGLE, BARE), (BATCH, NGINX)):
        yield ""
        yield from _table(results, size, reference)
    yield ""
    single, batch = results[OURS][SINGLE], results[OURS][BATCH]
    yield _comparison("Single events against the bare handler",
                   single.rate / results[BARE][SINGLE].rate, _SINGLE_TARGET)  # fmt: skip
    yield _comparison(
        "Batches against nginx", batch.rate / results[NGINX][BATCH].rate, _BATCH_TARGET
    )


def paced_line(highest: float, paced: Load) -> str:
    """Return what was to be reached at a share of the highest rate."""
    reached = "reached" if paced.p99_ms <= _P99_TARGET_MS else "**not reached**"
    return (
        f"- p99 of single events at {paced.rate:,.0f}/s, {paced.rate / highest:.0%} of the highest "
        f"rate just then: {paced.p99_ms:.1f} ms, to reach {_P99_TARGET_MS}: {reached}."
    )


def _comparison(what: str, ratio: float, target: float) -> str:
    reached = "reached" if ratio >= target else "**not reached**"
    return f"- {what}: {ratio:.2f}, to reach {target}: {reached}."


def _table(results: Results, size: int, reference: str) -> Iterator[str]:
    yield f"| {_LOADS[size]} | requests/s | events/s | ratio | p50 ms | p99 ms | CPU µs | not 2xx |"
    yield "|---|---|---|---|---|---|---|---|"
    base = results[reference][size]
    for name, by_size in results.items():
        one = by_size[size]
        yield (
            f"| {name} | {one.rate:,.0f} | {one.rate * size:,.0f} | {one.rate / base.rate:.2f} "
            f"| {one.p50_ms:.1f} | {one.p99_ms:.1f} | {one.cpu_us:.0f} | {one.failed} |"
        )


def server_lines(
    bare: Results, landing: Results, patience: Mapping[str, Patience]
) -> Iterator[str]:
    """Yield the table of the servers that could stand under Flask."""
    numbers = next(iter(patience.values())).slowest_ms
    yield (
        "The same two applications under each, 2 workers; requests/s (CPU µs a request). "
        "Then the slowest answer to somebody else while so many bodies are half-sent, and the "
        "status of the answer to a body that was cut, which must not be 200."
    )
    yield ""
    heads = ["server", "bare, single", "receiver, single", "p99 ms", "receiver, batches"]
    heads += [f"{number} half-sent" for number in numbers]
    yield f"| {' | '.join([*heads, 'cut', 'cut, chunked'])} |"
    yield "|---" * (len(heads) + 2) + "|"
    for name, borne in patience.items():
        figures = (bare[name][SINGLE], landing[name][SINGLE], landing[name][BATCH])
        empty, single, batch = (f"{one.rate:,.0f} ({one.cpu_us:.0f})" for one in figures)
        cells = [name, empty, single, f"{landing[name][SINGLE].p99_ms:.1f}", batch]
        cells += [
            "no answer" if slowest is None else f"{slowest:.0f} ms"
            for slowest in borne.slowest_ms.values()
        ]
        cells += [status or "none" for status in (borne.cut, borne.cut_chunked)]
        yield f"| {' | '.join(cells)} |"


def soak_lines(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield the memory over time; flat is: the last third takes no more than the second."""
    third = len(samples) // 3
    middle = max(sample.resident_bytes for sample in samples[third : 2 * third])
    last = max(sample.resident_bytes for sample in samples[2 * third :])
    yield (
        "Resident memory of all its processes, while single events and batches come alternately, "
        "for 10 s, as fast as they are answered."
    )
    yield ""
    yield "| after | MB |"
    yield "|---|---|"
    for sample in samples[:: max(1, len(samples) // 10)]:
        yield f"| {sample.seconds:.0f} s | {sample.resident_bytes / 1e6:.1f} |"
    yield ""
    flat = "flat" if last <= middle * _FLAT else "**not flat**"
    yield (
        f"The most in the second third: {middle / 1e6:.1f} MB; "
        f"in the last: {last / 1e6:.1f} MB: {flat}."
    )
