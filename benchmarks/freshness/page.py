"""What `make bench-freshness` has measured: its parts, and the page."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import duckdb

from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.upkeep.snapshots import AUTHOR
from orchestration.warehouse.connection import connect

PAGE = ROOT / "docs" / "benchmarks" / "freshness.md"
NOTES = "## Notes"

PARTS = {
    "seal": "the receiver's answer → its file is sealed",
    "notice": "→ its load begins",
    "load": "→ its raw row is committed",
    "models": "→ its final row is committed",
    "read": "→ a second process has seen it",
}


class Seen(NamedTuple):
    """When a message was first seen, and how it came there."""

    message_id: str
    at: float
    load_id: int
    file: str
    call: str


@dataclass
class Idle:
    """The whole stack with nothing to do."""

    seconds: float
    cores: float


@dataclass
class Measured:
    """Events of one rate."""

    rate: int
    seconds: float
    events: int
    lost: int
    doubled: int
    took: list[float]
    """Seconds of each event, sorted."""
    parts: dict[str, list[float]]
    passes: int
    runs: int
    storage_bytes: int
    cores: float

    def percentile(self, share: float) -> float:
        """Seconds within which a share of the events was there."""
        return _percentile(self.took, share)


def _percentile(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def measured(
    settings: Settings,
    *,
    rate: int,
    seconds: float,
    answered: Mapping[str, float],
    seen: Sequence[Seen],
    sealed: Mapping[str, float],
    storage: int,
    cpu: float,
) -> Measured:
    """Work out each event's way, from what was noted and what the warehouse says of its commits."""
    with connect(settings, read_only=True) as con:
        began = dict(
            con.execute(
                "select load_id, min(epoch(loaded_at)) from raw.landed_file group by 1"
            ).fetchall()
        )
        loads = _commits(con, "raw", "landed_file")
        finals = {
            call: _commits(con, settings.schema_name, call) for call in {s.call for s in seen}
        }
    committed = dict(zip(sorted(began), loads, strict=False))
    parts: dict[str, list[float]] = defaultdict(list)
    took = []
    for one in seen:
        raw = committed[one.load_id]
        final = next((at for at in finals[one.call] if at > raw), one.at)
        way = [
            answered[one.message_id],
            sealed.get(one.file, began[one.load_id]),
            *(began[one.load_id], raw, final, one.at),
        ]
        for name, (before, after) in zip(PARTS, pairwise(way), strict=True):
            parts[name].append(after - before)
        took.append(one.at - answered[one.message_id])
    ids = {one.message_id for one in seen}
    return Measured(
        rate=rate,
        seconds=seconds,
        events=len(answered),
        lost=len(answered.keys() - ids),
        doubled=len(seen) - len(ids),
        took=sorted(took),
        parts={name: sorted(values) for name, values in parts.items()},
        passes=len({one.load_id for one in seen}),
        runs=0,
        storage_bytes=storage,
        cores=cpu / seconds,
    )


def _commits(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> list[float]:
    """When rows came to a table, in seconds since 1970, oldest first; upkeep brings none."""
    rows = con.execute(
        """
        select epoch(snapshot_time) from ducklake_snapshots('seamline')
        where author is distinct from $3 and list_contains(
            changes['tables_inserted_into'],
            (
                select table_id::varchar
                from __ducklake_metadata_seamline.ducklake_table as known
                inner join __ducklake_metadata_seamline.ducklake_schema as owner
                    on known.schema_id = owner.schema_id
                where owner.schema_name = $1 and known.table_name = $2
                    and known.end_snapshot is null and owner.end_snapshot is null
            )
        )
        order by snapshot_id
        """,
        [schema, table, AUTHOR],
    ).fetchall()
    return [float(at) for (at,) in rows]


def show(said: str, results: Sequence[Measured], idle: Idle | None, *, write: bool) -> None:
    """Print what was measured, and write it into the page; the notes at its end are kept."""
    text = "\n".join(_lines(said, results, idle))
    print(text)
    if write:
        kept = PAGE.read_text().partition(NOTES)[2] if PAGE.exists() else "\n"
        PAGE.write_text(f"{text}\n{NOTES}{kept}")


def _lines(said: str, results: Sequence[Measured], idle: Idle | None) -> Iterator[str]:
    yield "# How soon an event is a row"
    yield ""
    yield "Written by `make bench-freshness`, up to the notes at its end."
    yield ""
    yield said
    yield ""
    yield "From the receiver's answer until a second process has read the row, in seconds:"
    yield ""
    yield from _table(
        ["events/s", "for", "events", "lost", "twice", "p50", "p95", "p99", "max"],
        (
            [
                f"{one.rate:,}", f"{one.seconds:.0f} s", f"{one.events:,}", f"{one.lost}",
                f"{one.doubled}",
                *(f"{one.percentile(share):.1f}" for share in (0.5, 0.95, 0.99, 1)),
            ]
            for one in results
        ),
    )  # fmt: skip
    yield ""
    yield "Its parts, each the median (and the 95th percentile):"
    yield ""
    rates = [f"{one.rate:,} events/s" for one in results]
    yield from _table(
        ["part", "from the end of the one before", *rates],
        (
            [
                name,
                meaning,
                *(
                    f"{statistics.median(one.parts[name]):.2f} "
                    f"({_percentile(one.parts[name], 0.95):.2f})"
                    for one in results
                ),
            ]
            for name, meaning in PARTS.items()
        ),
    )
    yield ""
    yield "What it took:"
    yield ""
    yield from _table(
        ["", *rates],
        [
            ["loads", *(f"{one.passes:,}" for one in results)],
            ["cores, the whole stack", *(f"{one.cores:.2f}" for one in results)],
            [
                "Dagster's storage grew by, a load",
                *(f"{one.storage_bytes / max(one.passes, 1) / 1000:.0f} kB" for one in results),
            ],
        ],
    )
    yield ""
    if idle:
        yield (
            f"With nothing to do, after the last run had ended, the whole stack took "
            f"{100 * idle.cores:.1f} % of a core for {idle.seconds:.0f} s."
        )
        yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
