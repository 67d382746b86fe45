"""The newest loads, as the view `loads` has them."""

from datetime import datetime
from typing import NamedTuple

import duckdb

from orchestration.loading.insert import highest_load
from orchestration.settings import Settings
from orchestration.warehouse.catalog import full_name, views

VIEW = "loads"


class LoadReport(NamedTuple):
    """What a load brought to a table, and how soon."""

    load_id: int
    table_name: str
    loaded_at: datetime
    files: int
    bytes: int
    loaded: int
    rejected: int
    rejected_by_reason: dict[str, int] | None
    rows: int | None
    duplicate: int | None
    lag_seconds: float | None
    read_seconds: float | None
    fields_seconds: float | None
    insert_seconds: float | None
    commit_seconds: float | None
    models_seconds: float | None


def recent_loads(con: duckdb.DuckDBPyConnection, settings: Settings, most: int) -> list[LoadReport]:
    """Return the last loads, the newest first; none while the view is not there.

    Args:
        con: The warehouse, open for reading.
        settings: What the schema is called.
        most: How many loads; of each there is a report for every table.
    """
    if (settings.schema_name, VIEW) not in views(con):
        return []
    since = highest_load(con) - most
    rows = con.execute(
        f"select {', '.join(LoadReport._fields)} "
        f"from {full_name(settings.schema_name, VIEW)} where load_id > {since} "
        "order by load_id desc, table_name"
    ).fetchall()
    return [LoadReport(*row) for row in rows]
