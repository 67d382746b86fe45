"""`make bench`: this project beside what one would take otherwise, in one run on one machine.

The same events are loaded by it, by a script of SQL, by Singer's target-duckdb and by dlt; ten
questions are asked of its warehouse, of a DuckDB file and of JSON in one column; bytes are weighed,
and a month is reckoned. Ratios are held against those of the last report.
"""

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.compare import guard, page, peers, query_stores, stored
from benchmarks.compare.page import Measured, Prices
from benchmarks.passes import settings_of

REPORT = page.PAGE.with_name("report.json")


def main() -> None:
    """Measure, write the page and the report; end with 1 if a ratio is worse than it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="to load in each way")
    parser.add_argument("--query-events", type=int, default=10_000_000, help="to ask questions of")
    parser.add_argument("--rounds", type=int, default=5, help="of each question")
    parser.add_argument("--tolerance", type=float, default=0.25, help="by which a ratio may worsen")
    parser.add_argument("--accept", action="store_true", help="keep this report, if it is worse")
    parser.add_argument("--shared", action="store_true", help="say that others used the machine")
    parser.add_argument("--price", type=float, default=20, help="of a machine, a month")
    parser.add_argument("--cores", type=int, default=2, help="of that machine")
    parser.add_argument("--disk-gb", type=int, default=80, help="of that machine")
    options = parser.parse_args()
    said = report.conditions("duckdb", "dbt-core", "dbt-duckdb")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        loads = peers.measure(folder, options.events)
        print("loaded", flush=True)
        kept = stored.measure(folder)
        stores = query_stores.fill(settings_of(folder), folder, options.query_events)
        print(f"made {stores.events:,} events", flush=True)
        answers = query_stores.ask(stores, options.rounds)
        measured = Measured(
            said, options.shared, loads, kept, stores.events,
            dict(query_stores.sizes(stores)), answers,
        )  # fmt: skip
    ratios = ratios_of(measured)
    prices = Prices(options.price, options.cores, options.disk_gb)
    sizes = {"events": options.events, "query_events": options.query_events}
    problems = list(guard.worse(ratios, _last_ratios(sizes), options.tolerance))
    print("\n".join(page.lines(measured, ratios, prices)))
    if problems and not options.accept:
        sys.exit("\n".join([*problems, "Nothing was written; --accept keeps this report."]))
    page.write(measured, ratios, prices)
    REPORT.write_text(
        json.dumps(
            {"sizes": sizes, "ratios": {k: round(v, 3) for k, v in ratios.items()}}, indent=2
        )
        + "\n"
    )


def _last_ratios(sizes: dict[str, int]) -> dict[str, float]:
    """Those of the last report, if it is of as many events: what is fixed counts less in more."""
    if not REPORT.exists():
        return {}
    last = json.loads(REPORT.read_text())
    ratios: dict[str, float] = last["ratios"] if last["sizes"] == sizes else {}
    return ratios


def ratios_of(measured: Measured) -> dict[str, float]:
    """What is compared, by its name: by the clock, and of processor."""
    ways = measured.loads.ways
    ours, sql = ways[peers.OURS], ways[peers.SQL]
    singer, dlt = ways[peers.SINGER], ways[peers.DLT]
    ratios = {
        "faster than Singer": singer.clock / ours.clock,
        "processor beside Singer": singer.processor / ours.processor,
        "faster than dlt": dlt.clock / ours.clock,
        "processor beside dlt": dlt.processor / ours.processor,
        "load beside SQL": ours.clock / sql.clock,
        "processor beside SQL": ours.processor / sql.processor,
        "bytes beside JSON": measured.stored.whole / measured.loads.json_bytes,
    }
    for what, name in (("clock", "queries beside a file"), ("processor", "queries by processor")):
        taken = [
            getattr(by_store[query_stores.OURS], what) / getattr(by_store[query_stores.FILE], what)
            for by_store in measured.answers.values()
        ]
        ratios[name] = math.exp(sum(map(math.log, taken)) / len(taken))
    return ratios


if __name__ == "__main__":
    os.environ.setdefault("DLT_TELEMETRY", "0")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    main()
