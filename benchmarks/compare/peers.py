"""The same landed events into tables: with this project, hand-written SQL, Singer and dlt.

Each of the others has an environment of its own, in `.venv/peers/`, of pinned packages.
"""

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import landed_events
from benchmarks.compare.singer_tap import write_messages
from benchmarks.passes import LOAD, Pass, median, run, settings_of
from landed.settings import ROOT
from orchestration.warehouse.catalog import number
from orchestration.warehouse.connection import connect

OURS, SQL, SINGER, DLT = "this project", "a script of SQL", "Singer target-duckdb", "dlt, merge"

FIRST, FEW, TIMES = 2_000, 1_000, 3
"""Events that ours has loaded before, so that it has its columns; and those that are taken off,
for which each way is measured so many times."""

_PEERS = Path(sys.prefix) / "peers"


@dataclass
class Taken:
    """What one way took for the events, less what it takes for few."""

    whole: Pass
    few: Pass
    rows: int = 0
    """Messages in its tables."""

    @property
    def clock(self) -> float:
        """Seconds by the clock."""
        return self.whole.clock - self.few.clock

    @property
    def processor(self) -> float:
        """Seconds of processor."""
        return self.whole.processor - self.few.processor


@dataclass
class Loads:
    """What each way took, and the installation that ours has left."""

    events: int
    folder: Path
    lines: int = 0
    """Landed copies that the difference is of."""
    kept_lines: int = 0
    """Landed copies in ours, with those that were there before."""
    json_bytes: int = 0
    """Those of the events of these alone."""
    ways: dict[str, Taken] = field(default_factory=dict)


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, which is made of its lock file where it is not there."""
    lock = ROOT / f"requirements-{peer}.lock"
    mark = hashlib.sha256(lock.read_bytes()).hexdigest()
    folder = _PEERS / peer
    python = folder / "bin" / "python"
    installed = folder / "installed"
    if not installed.exists() or installed.read_text() != mark:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
        installed.write_text(mark)
    return python


def measure(folder: Path, events: int) -> Loads:
    """Load the same events in each way, one after the other."""
    singer, dlt = python_of("singer"), python_of("dlt")
    landing = settings_of(folder).landing
    landing.mkdir(parents=True)
    loads = Loads(events, folder)
    _land(loads, landing, FIRST, 1)
    run(LOAD, folder)  # which makes tables and columns
    tries = []
    for one in range(TIMES):
        few_lines = _land(loads, landing, FEW, 2 + one)
        tries.append(_others(folder / f"few-{one}", landing, singer, dlt))
        tries[-1][OURS] = run(LOAD, folder)
    few = {name: median([each[name] for each in tries]) for name in tries[0]}
    loads.lines = _land(loads, landing, events, 2 + TIMES) - few_lines
    whole = _others(folder / "whole", landing, singer, dlt)
    whole[OURS] = run(LOAD, folder)
    for name in (OURS, SQL, SINGER, DLT):
        loads.ways[name] = Taken(whole[name], few[name])
    _count_rows(loads, singer, dlt)
    return loads


def _others(folder: Path, landing: Path, singer: Path, dlt: Path) -> dict[str, Pass]:
    folder.mkdir()
    sql = [sys.executable, "-m", "benchmarks.load.sql", str(landing), str(folder / "sql")]
    messages, config = folder / "messages", folder / "singer.json"
    write_messages(landing, messages)  # what a tap takes is not counted
    config.write_text(
        json.dumps(
            {
                "path": str(folder / "singer.duckdb"),
                "default_target_schema": "segment",
                "data_flattening_max_level": 10,
                "temp_dir": str(folder),
            }
        )
    )
    target = str(singer.with_name("target-duckdb"))
    script = str(Path(__file__).with_name("dlt_load.py"))
    done = {
        SQL: run(sql),
        SINGER: run([target, "-c", str(config)], given=messages),
        DLT: run([str(dlt), script, str(landing), str(folder / "dlt.duckdb")]),
    }
    messages.unlink()
    return done


def _land(loads: Loads, landing: Path, events: int, seed: int) -> int:
    """Land events, and count them; return how many copies they are."""
    landed_events.land(landing, events, seed)
    lines, size = _landed(landing)
    loads.kept_lines += lines
    loads.json_bytes += size
    return lines


def _landed(landing: Path) -> tuple[int, int]:
    """How many lines have landed, and the bytes of their events alone."""
    lines = size = 0
    for path in landing.glob("*/*.ndjson"):
        if path.parent.name in landed_events.SHARES:
            with path.open("rb") as file:
                for line in file:
                    lines += 1
                    size += len(line[line.index(b'"payload":') + len(b'"payload":') : -2]) + 1
    return lines, size


def _count_rows(loads: Loads, singer: Path, dlt: Path) -> None:
    settings = settings_of(loads.folder)
    with connect(settings, read_only=True) as con:
        loads.ways[OURS].rows = sum(
            number(con, f'select count(*) from "{settings.schema_name}"."{call}"')
            for call in landed_events.SHARES
        ) - (FIRST + TIMES * FEW)
        sql = loads.folder / "whole" / "sql"
        con.execute(f"attach 'ducklake:sqlite:{sql}/catalog.sqlite' as by_sql (read_only)")
        loads.ways[SQL].rows = sum(
            number(con, f'select count(*) from by_sql.final."{call}"')
            for call in landed_events.SHARES
        )
    loads.ways[SINGER].rows = _rows_of(singer, loads.folder / "whole" / "singer.duckdb")
    loads.ways[DLT].rows = _rows_of(dlt, loads.folder / "whole" / "dlt.duckdb")


def _rows_of(python: Path, database: Path) -> int:
    """The rows of a peer's tables, which its own DuckDB reads."""
    count = " + ".join(f'(select count(*) from segment."{call}")' for call in landed_events.SHARES)
    script = (
        "import duckdb, sys; "
        "print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchone()[0])"
    )
    said = subprocess.run(
        [python, "-c", script, database, f"select {count}"],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout
    return int(said)
