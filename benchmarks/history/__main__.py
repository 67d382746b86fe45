"""`make bench-history`: does a load take longer, the more events the warehouse has?

A history is written directly as Parquet (benchmarks/history/rows.py), and on it 10,000 events are
loaded as `make load` does it, some of them copies of old ones, the oldest among them. Then the
history grows, and it is measured again.
"""

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report
from benchmarks.history import page
from benchmarks.history.copies import land_on_history, require_dropped
from benchmarks.history.page import Measured
from benchmarks.history.rows import ROUND, write_history
from benchmarks.landed_events import land
from benchmarks.passes import LOAD, load_in_parts, run, settings_of


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
    page.write(said, sizes)


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


if __name__ == "__main__":
    main()
