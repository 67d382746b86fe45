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
from benchmarks.passes import LOAD, Pass, run, settings_of
from benchmarks.singer_tap import write_messages
from landed.settings import ROOT
from orchestration.warehouse.catalog import number
from orchestration.warehouse.connection import connect

OURS, SQL, SINGER, DLT = "this project", "a script of SQL", "Singer target-duckdb", "dlt, merge"

_PEERS = Path(sys.prefix) / "peers"


@dataclass
class Taken:
    """What one way took for the events, less what it takes for none."""

    whole: Pass
    empty: Pass
    rows: int = 0
    """Messages in its tables."""

    @property
    def clock(self) -> float:
        """Seconds by the clock."""
        return self.whole.clock - self.empty.clock

    @property
    def processor(self) -> float:
        """Seconds of processor."""
        return self.whole.processor - self.empty.processor


@dataclass
class Loads:
    """What each way took, and the installation that ours has left."""

    events: int
    folder: Path
    lines: int = 0
    """Landed copies."""
    json_bytes: int = 0
    """Those of their events alone."""
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
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
        installed.write_text(mark)
    return python


def measure(folder: Path, events: int) -> Loads:
    """Load the same events in each way, one after the other."""
    singer, dlt = python_of("singer"), python_of("dlt")
    landing = settings_of(folder).landing
    landing.mkdir(parents=True)
    run(LOAD, folder)
    ours_empty = run(LOAD, folder)
    for call in landed_events.SHARES:
        (landing / call).mkdir(exist_ok=True)
    empty = _others(folder / "empty", landing, singer, dlt)
    landed_events.land(landing, events)
    loads = Loads(events, folder)
    loads.lines, loads.json_bytes = _landed(landing)
    others = _others(folder / "full", landing, singer, dlt)
    loads.ways[OURS] = Taken(run(LOAD, folder), ours_empty)
    for name, taken in others.items():
        loads.ways[name] = Taken(taken, empty[name])
    _count_rows(loads, singer, dlt)
    return loads


def _others(folder: Path, landing: Path, singer: Path, dlt: Path) -> dict[str, Pass]:
    folder.mkdir()
    sql = [sys.executable, "-m", "benchmarks.sql_load", str(landing), str(folder / "sql")]
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
        )
        sql = loads.folder / "full" / "sql"
        con.execute(f"attach 'ducklake:sqlite:{sql}/catalog.sqlite' as by_sql (read_only)")
        loads.ways[SQL].rows = sum(
            number(con, f'select count(*) from by_sql.final."{call}"')
            for call in landed_events.SHARES
        )
    loads.ways[SINGER].rows = _rows_of(singer, loads.folder / "full" / "singer.duckdb")
    loads.ways[DLT].rows = _rows_of(dlt, loads.folder / "full" / "dlt.duckdb")


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
