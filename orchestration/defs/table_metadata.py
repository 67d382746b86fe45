"""What materializations say of tables, as numbers that plot and a few rows to look at.

A run that stays materializes every few seconds and Dagster keeps all of it, so it is little. The
rows are without what may be a person's: no id, no trait, no property.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb

from landed.folders import REJECTED
from orchestration.settings import Settings
from orchestration.warehouse.catalog import column_types_in, full_name

NEWEST = 5
"""So many rows are shown."""

OFTEN = 10
"""A name that so many events have is no person's; of others none is shown, as Dagster keeps it."""

LOAD = "load"
"""In a final table's metadata: the newest load that it shows."""

SCHEMA = "dagster/column_schema"
"""In a materialization: the columns, where they are others than before."""

_SHOWN = 60  # characters of an event's name
_NEITHER_TEXT_NOR_SPACE = re.compile(r"[\x00-\x1f\x7f`|]")


def raw_metadata(
    con: duckdb.DuckDBPyConnection, folder: str, load_ids: list[int], now: datetime
) -> dict[str, Any]:
    """What loads have brought to a raw table.

    Args:
        con: The warehouse.
        folder: The call, or `rejected`.
        load_ids: The loads.
        now: The time, in UTC.
    """
    total = _row(con, f"select count(*) from {full_name('raw', folder)}")[0]
    rows, oldest = _row(
        con,
        f"select count(*), min(received_at) from {full_name('raw', folder)} "
        "where list_contains($loads, load_id) and load_id >= $first",
        {"loads": load_ids, "first": min(load_ids, default=0)},
    )
    metadata = {"dagster/row_count": total, "new_rows": rows}
    if folder != REJECTED:
        files, size, rejected = _row(
            con,
            "select count(*), sum(bytes)::bigint, sum(rejected)::bigint from raw.landed_file "
            "where call = $call and list_contains($loads, load_id)",
            {"call": folder, "loads": load_ids},
        )
        metadata |= {"files": files, "bytes": size or 0, "rejected": rejected or 0}
    return metadata | _since(oldest, now)


def final_metadata(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    call: str,
    before: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """What a final table has got since it was materialized last.

    Args:
        con: The warehouse.
        settings: The settings.
        call: The table.
        before: What was said of it then; nothing if it was not.
        now: The time, in UTC.
    """
    table = full_name(settings.schema_name, call)
    since = before.get(LOAD, 0)
    total, load = _row(con, f"select count(*), coalesce(max(_seamline_load_id), 0) from {table}")
    rows, oldest = _row(
        con,
        f"select count(*), min(_sdc_received_at) from {table} where _seamline_load_id > $since",
        {"since": since},
    )
    (copies,) = _row(
        con,
        f"select count(*) from {full_name('raw', call)} "
        "where load_id > $since and load_id <= $load",
        {"since": since, "load": load},
    )
    types = column_types_in(con, settings.schema_name).get(call, {})
    metadata = {
        "dagster/row_count": total,
        LOAD: load,
        "new_rows": rows,
        "duplicates": max(0, copies - rows),
        "columns": len(types),
        **_since(oldest, now),
    }
    if before.get("columns") != len(types):
        metadata[SCHEMA] = dg.TableSchema(
            [dg.TableColumn(name, kind) for name, kind in types.items()]
        )
        metadata["new_columns"] = len(types) - before.get("columns", 0)
    if rows:
        metadata["newest"] = dg.MetadataValue.md(_newest(con, table, load, types))
    return metadata


def said_before(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[str, Any]:
    """What an asset's last materialization said, in plain values."""
    event = instance.get_latest_materialization_event(key)
    last = event and event.asset_materialization
    return {name: value.value for name, value in last.metadata.items()} if last else {}


def _since(oldest: datetime | None, now: datetime) -> dict[str, Any]:
    """When the oldest of what is new was received, and how long it took to be seen."""
    if oldest is None:
        return {}
    then = oldest.replace(tzinfo=UTC)
    return {
        "oldest_received": dg.MetadataValue.timestamp(then),
        "lag_seconds": round((now - then).total_seconds(), 3),
    }


def _newest(con: duckdb.DuckDBPyConnection, table: str, load: int, types: Mapping[str, str]) -> str:
    event = "event" if "event" in types else "null"
    rows = con.execute(
        f"""
        with newest as (
            select _sdc_received_at, _seamline_source, {event} as event from {table}
            where _seamline_load_id = $load order by _sdc_received_at desc limit {NEWEST}
        )
        select _sdc_received_at, _seamline_source, if(event in (
            select event from raw.field where event in (select event from newest)
            group by event having max(count) >= {OFTEN}
        ), event, null)
        from newest order by _sdc_received_at desc
        """,
        {"load": load},
    ).fetchall()
    lines = ["| received | source | event |", "|---|---|---|"]
    for received, source, name in rows:
        lines.append(f"| {received:%Y-%m-%d %H:%M:%S} | {as_code(source)} | {as_code(name)} |")
    return "\n".join(lines)


def as_code(text: object) -> str:
    """A text as Markdown shows it, whatever is in it: no HTML, no link, no other cell."""
    if text is None:
        return ""
    shown = _NEITHER_TEXT_NOR_SPACE.sub("\N{REPLACEMENT CHARACTER}", str(text))[:_SHOWN]
    return f"`{shown}`" if shown.strip() else ""


def _row(
    con: duckdb.DuckDBPyConnection, query: str, parameters: dict[str, Any] | None = None
) -> tuple[Any, ...]:
    return con.execute(query, parameters or {}).fetchone() or ()
