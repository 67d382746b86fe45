"""`make bench-upkeep`: thousands of small loads with upkeep, and some of them without beside it.

Time is pressed together: an hour is as many loads as are done in one, and what settings
give in hours and days is scaled alike.
"""

import argparse
import csv
import multiprocessing
import tempfile
import time
from dataclasses import asdict, fields
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import report
from benchmarks.upkeep import page
from benchmarks.upkeep.installation import Installation, live
from benchmarks.upkeep.page import Row


def main() -> None:
    """Measure, row by row into a CSV file, and write the page from it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=5_000)
    parser.add_argument("--without", type=int, default=600, help="loads without upkeep")
    parser.add_argument("--loads-an-hour", type=int, default=120)
    parser.add_argument("--portion", type=int, default=60, help="loads between measurements")
    parser.add_argument("--hours", type=float, default=6, help="SEAMLINE_SNAPSHOT_DAYS, in hours")
    parser.add_argument("--csv", type=Path, default=page.CSV)
    parser.add_argument("--page-only", action="store_true", help="write the page from the CSV")
    options = parser.parse_args()
    if not options.page_only:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        options.csv.with_suffix(".txt").write_text(
            report.conditions("duckdb", "dbt-core", "dbt-duckdb") + "\n"
        )
        _measure(options)
    page.write(options.csv, options.portion, options.loads_an_hour, options.hours)


def _measure(options: argparse.Namespace) -> None:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="bench-upkeep-") as name:
        installations: dict[str, Connection] = {}
        for installation in ("with", "without"):
            ours, theirs = context.Pipe()
            folder = Path(name) / installation
            living = Installation(
                installation, folder, options.loads_an_hour, options.hours, options.portion
            )
            context.Process(target=live, args=(living, theirs), daemon=True).start()
            installations[installation] = ours
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, [column.name for column in fields(Row)])
            writer.writeheader()
            for loads in range(options.portion, options.loads + options.portion, options.portion):
                for installation, orders in installations.items():
                    if installation == "without" and loads > options.without:
                        continue
                    orders.send(True)
                    row = orders.recv()
                    writer.writerow(asdict(row))
                    file.flush()
                    print(time.strftime("%H:%M:%S"), row, flush=True)
        for orders in installations.values():
            orders.send(False)


if __name__ == "__main__":
    main()
