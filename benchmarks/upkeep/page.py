"""The page and the plot of `make bench-upkeep`, from its CSV file."""

import csv
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landed.settings import ROOT

PAGE = ROOT / "docs" / "benchmarks" / "upkeep.md"
CSV = PAGE.with_suffix(".csv")
PLOT = PAGE.with_suffix(".svg")


@dataclass
class Row:
    """What is measured after a portion of loads."""

    warehouse: str
    loads: int
    load_ms: float
    """The median of the portion."""
    dbt_s: float
    upkeep_s: float
    longest_lock_s: float
    query_ms: float
    table_files: int
    """Files that the tables consist of now."""
    files: int
    """All files on disk, those of older snapshots too."""
    megabytes: float
    catalog_kb: float
    snapshots: int


FIGURES = {
    "load_ms": "a load, ms",
    "dbt_s": "a run of the models, s",
    "query_ms": "a query, ms",
    "table_files": "files of the tables",
    "files": "Parquet files on disk",
    "megabytes": "MB on disk",
    "catalog_kb": "catalog, kB",
    "snapshots": "snapshots",
}


def read(path: Path) -> dict[str, list[Row]]:
    """The rows of each warehouse."""
    warehouses: dict[str, list[Row]] = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            row = Row(**{name: _value(name, text) for name, text in line.items()})
            warehouses.setdefault(row.warehouse, []).append(row)
    return warehouses


def _value(name: str, text: str) -> Any:
    return text if name == "warehouse" else float(text)


def write(path: Path, portion: int, loads_an_hour: int, hours: float) -> None:
    """Write the plot and the page; the settings are those of the measurement."""
    warehouses = read(path)
    _plot(warehouses)
    conditions = path.with_suffix(".txt")
    said = conditions.read_text() if conditions.exists() else ""
    PAGE.write_text(
        "\n".join([*_introduction(portion, loads_an_hour, hours), said, *_tables(warehouses), ""])
    )
    print(f"{PAGE} is written")


def _introduction(portion: int, loads_an_hour: int, hours: float) -> list[str]:
    text = f"""# What upkeep keeps small

Written by `make bench-upkeep`; every figure of the plot is in [upkeep.csv](upkeep.csv).
A load brings 100 events of six calls in six files; the models are run every {portion} loads.
DuckDB's check of its extensions' signatures is off here: a load of the product takes about 0.2 s
more, with and without upkeep.
Time is pressed together: {loads_an_hour} loads are an hour.
So upkeep comes every {loads_an_hour} loads, and its times are scaled alike.
Every snapshot is kept for the time of {loads_an_hour} loads, then one an hour for that of
{loads_an_hour * hours:.0f}, and none beyond.
The warehouses with and without upkeep are loaded alternately, so that both are measured under
the same conditions.

![what grows without upkeep](upkeep.svg)
"""
    return text.split("\n")


def _tables(warehouses: dict[str, list[Row]]) -> Iterator[str]:
    kept, grown = warehouses["with"], warehouses["without"]
    same = [row for row in kept if row.loads <= grown[-1].loads]
    third = len(kept) // 3
    yield (
        f"| medians of | loads 1 to {grown[-1].loads:,.0f} without, the last fifth | with, the "
        f"same loads | with, the second third of {kept[-1].loads:,.0f} | with, the last third |"
    )
    yield "|---|---|---|---|---|"
    parts = [
        grown[-len(grown) // 5 :],
        same[-len(same) // 5 :],
        kept[third : 2 * third],
        kept[2 * third :],
    ]
    for name, title in FIGURES.items():
        medians = [statistics.median(getattr(row, name) for row in part) for part in parts]
        yield f"| {title} | " + " | ".join(f"{median:,.0f}" for median in medians) + " |"
    runs = [row for row in kept if row.upkeep_s]
    yield ""
    yield (
        f"Upkeep came {len(runs)} times and took "
        f"{statistics.median(row.upkeep_s for row in runs):.1f} s (median) and "
        f"{max(row.upkeep_s for row in runs):.1f} s at most, giving the lock back between "
        f"rewrites. The longest that it held it, which is what a load had to wait at most, was "
        f"{max(row.longest_lock_s for row in runs):.1f} s."
    )


def _plot(warehouses: dict[str, list[Row]]) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - the page alone needs it

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "upkeep"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(4, 2, figsize=(9, 10), sharex=True, layout="constrained")
    for axis, (name, title) in zip(axes.flat, FIGURES.items(), strict=True):
        for warehouse, rows in warehouses.items():
            loads = [row.loads for row in rows]
            axis.plot(loads, [getattr(row, name) for row in rows], label=f"{warehouse} upkeep")
        axis.set_title(title, fontsize="medium")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
    axes.flat[0].legend()
    for axis in axes[-1]:
        axis.set_xlabel("loads")
    figure.savefig(PLOT, metadata={"Date": None})
