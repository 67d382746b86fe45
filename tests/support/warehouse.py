"""The warehouse as tests look at it, and DuckDB as they have it: for half the processor's time.

That holds in their own process and in those they fork. The processes that tests start as a user
does have DuckDB as it ships.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import Settings
from orchestration.warehouse import connection
from orchestration.warehouse.catalog import DATABASE

FIELDS = """
    select
        source, call, event, path, keys, type, sum(count), min(first_seen), max(last_seen),
        min((first_load_id, first_file, first_line)), max(last_load_id)
    from raw.field group by all order by all
"""
"""What `raw.field` says: its rows add up."""


def spare_the_processor() -> None:
    """Leave out what costs tests much and tells them nothing.

    With every connection DuckDB hashes its extensions to check their signature: half a second. A
    second thread for queries of a few rows costs a fifth of all that dbt does. And DuckLake asks
    its catalog for the statistics of each column of a table without rows, twice for each query, at
    3 ms a column; two optimizers want them.
    """
    connection.CONFIG |= {
        "allow_unsigned_extensions": True,
        "threads": 1,
        "disabled_optimizers": "join_order,statistics_propagation",
    }


_idle: list[duckdb.DuckDBPyConnection] = []


@contextmanager
def reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse to look at what is there; closed at the end.

    DuckDB itself stays: loading its extensions takes longer than most looks.
    """
    con = _idle.pop() if _idle else _session()
    connection.prepare_session(con, settings)
    con.execute(connection.attach_sql(settings, read_only=True))
    con.execute(f"use {DATABASE}")
    yield con
    con.execute("use memory")
    con.execute(f"detach {DATABASE}")
    _idle.append(con)


def rows(settings: Settings, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
    """Return the answer to a query."""
    with reading(settings) as con:
        return con.execute(sql, parameters).fetchall()


def unsynced(settings: Settings, synced: set[Path]) -> set[Path]:
    """Return the Parquet files, and their folders, that nobody has brought to the disk."""
    files = set(settings.data.rglob("*.parquet"))
    assert files
    return (files | {file.parent for file in files}) - synced


def _session() -> duckdb.DuckDBPyConnection:
    """DuckDB, with nothing attached."""
    con = duckdb.connect(config=connection.CONFIG)
    connection.load_extensions(con)
    con.execute("set TimeZone = 'UTC'")
    return con
