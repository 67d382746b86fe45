"""Warehouses with a past of small files, and what has to stay the same about them."""

from pathlib import Path
from typing import Any

import duckdb

from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading

LOADS = 6

Row = tuple[Any, ...]


def load_events(settings: Settings, first: int, count: int = 5) -> None:
    """One load of a few `track` and `page` calls, each with a property of its own."""
    for call in ("track", "page"):
        lines = [
            landed.line(
                {
                    "messageId": f"{call}-{number}",
                    "type": call,
                    "event": f"e{number % 3}",
                    "properties": {"price": number, f"only_in_{first}": True},
                }
            )
            for number in range(first, first + count)
        ]
        landed.land(settings.landing, call, *lines)
    load(settings)


def soon(settings: Settings, **others: float) -> Settings:
    """The same house, with no time to wait for a query."""
    return settings.model_copy(update={"query_hours": 1e-9, **others})


TABLES = ("raw.track", "raw.page", "raw.field", "raw.landed_file")
"""Those that the loads fill."""


def hashes(con: duckdb.DuckDBPyConnection, at: str = "") -> dict[str, Row]:
    """Of each table that was there at that time, how many rows it had and a hash of them."""
    found = {}
    for table in TABLES:
        try:
            row = con.execute(
                f"select count(*), bit_xor(hash(one)), sum(hash(one)) from (from {table} {at}) one"
            ).fetchone()
        except duckdb.CatalogException:  # not there yet
            continue
        assert row is not None
        found[table] = row
    return found


def all_hashes(settings: Settings) -> dict[str, Row]:
    """The same, of the tables as they are now, on a connection of its own."""
    with reading(settings) as con:
        return hashes(con)


def snapshots(settings: Settings) -> list[int]:
    """The ids of all snapshots."""
    with reading(settings) as con:
        rows = con.execute(
            "select snapshot_id from ducklake_snapshots('seamline') order by all"
        ).fetchall()
    return [snapshot for (snapshot,) in rows]


def past(settings: Settings) -> dict[int, dict[str, Row]]:
    """The hashes at every snapshot."""
    with reading(settings) as con:
        return {
            snapshot: hashes(con, f"at (version => {snapshot})") for snapshot in snapshots(settings)
        }


def files(settings: Settings) -> set[Path]:
    """The Parquet files on disk."""
    return set(settings.data.rglob("*.parquet"))


def table_files(settings: Settings, schema: str, table: str) -> list[str]:
    """The files that a table consists of now."""
    with reading(settings) as con:
        rows = con.execute(
            "select data_file from ducklake_list_files('seamline', $1, schema => $2)",
            [table, schema],
        ).fetchall()
    return [path for (path,) in rows]


def listed_and_missing(settings: Settings) -> list[str]:
    """The names of files that the catalog lists for some snapshot and that are not on disk."""
    on_disk = {path.name for path in files(settings)}
    catalog = "__ducklake_metadata_seamline"
    with reading(settings) as con:
        rows = con.execute(
            f"select parse_filename(path) from {catalog}.ducklake_data_file union all "
            f"select parse_filename(path) from {catalog}.ducklake_delete_file"
        ).fetchall()
    return [name for (name,) in rows if name not in on_disk]
