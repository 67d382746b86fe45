"""Dagster's pages in headless Chromium, and the page of what was measured."""

import json
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.dagster_history.copied_runs import Copied
from benchmarks.report import conditions
from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "dagster.md"
NOTES = "## Notes"
TARGET_SECONDS = 2.0

_CLIENTS = ROOT / "tests" / "receiver" / "senders" / "clients"
_CHROMIUM = "/usr/bin/chromium"

Opened = Mapping[str, list[dict[str, Any]]]
"""Page → what opening it was like, each time."""


def open_pages(
    url: str,
    processes: Sequence[int],
    pages: Mapping[str, str],
    times: int,
    pictures: Path | None = None,
) -> Opened:
    """Open pages, one after the other, some times.

    Args:
        url: Of the webserver.
        processes: Its processes.
        pages: Name → path.
        times: How often.
        pictures: The folder for a picture of each.
    """
    told = {
        "executablePath": _CHROMIUM,
        "url": url,
        "processes": processes,
        "pages": pages,
        "times": times,
        "pictures": str(pictures) if pictures else None,
    }
    done = subprocess.run(
        [
            shutil.which("node") or "node",
            Path(__file__).with_suffix(".mjs"),
            json.dumps(told),
        ],
        cwd=_CLIENTS,
        check=True,
        stdout=subprocess.PIPE,
    )
    opened: Opened = json.loads(done.stdout)
    return opened


def write_page(opened: Opened, copied: Copied, size: int, hours: int) -> None:
    """Write the page; the notes of people at its end are kept."""
    kept = PAGE.read_text() if PAGE.exists() else f"{NOTES}\n"
    lines = "\n".join(_lines(opened, copied, size, hours))
    PAGE.write_text(f"{lines}\n\n{NOTES}{kept.partition(NOTES)[2]}")
    print(lines)


def _lines(opened: Opened, copied: Copied, size: int, hours: int) -> Iterator[str]:
    yield "# How soon Dagster's pages are there"
    yield ""
    yield "Written by `make bench-dagster`, up to the notes at its end."
    yield ""
    yield conditions("dagster", "dagster-webserver")
    yield ""
    yield (
        f"Behind {hours} hours of a load every five seconds: {copied} were written, and the upkeep "
        f"left {size / 1e6:,.0f} MB of them. In headless Chromium, its cache warm, from the click "
        "to the last answer that the page had asked for:"
    )
    yield ""
    yield "| page | median s | longest s | server's CPU s | its slowest query | of which s |"
    yield "|---|---|---|---|---|---|"
    worst = 0.0
    for name, times in opened.items():
        seconds = [one["milliseconds"] / 1000 for one in times]
        slowest = max(times, key=lambda one: one["longest"])
        median = statistics.median(seconds)
        worst = max(worst, median)
        yield (
            f"| {name} | {median:.2f} | {max(seconds):.2f} "
            f"| {statistics.median(one['server'] for one in times):.2f} | `{slowest['query']}` "
            f"| {slowest['longest'] / 1000:.2f} |"
        )
    yield ""
    reached = "reached" if worst < TARGET_SECONDS else "**not reached**"
    yield (
        "A time at which the page was still being filled when it was left, after 45 s, is one of "
        "45 s or more."
    )
    yield ""
    yield f"To reach: each within {TARGET_SECONDS:g} s: {reached}."
