"""What each load has brought, in the words of Stitch's post-load webhook.

One message per load and call, once the call's final table shows it. The fields are Stitch's
(its documentation of post-load webhooks); those that have no meaning here are empty.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import duckdb

from orchestration.models.pending_models import modelled_loads
from orchestration.settings import Settings
from orchestration.warehouse.raw_tables import WITH_TABLE

MOST = 100
"""So many messages at a time, the oldest first; the others follow."""


class Brought(NamedTuple):
    """What a load has brought to a table."""

    call: str
    load_id: int
    body: dict[str, Any]
    """The message."""


def newest(con: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Call → the last load that its final table shows."""
    return {call: load for call, load in modelled_loads(con).items() if call in WITH_TABLE}


def brought(
    con: duckdb.DuckDBPyConnection, settings: Settings, told: Mapping[str, int]
) -> Iterator[Brought]:
    """Yield what later loads have brought, in their order.

    Args:
        con: The warehouse.
        settings: The settings.
        told: Call → the last load that was told; 0 if none was.
    """
    shown = newest(con)
    rows = con.execute(
        """
        select
            call, load_id, max(loaded_at), sum(rows)::bigint, sum(rejected)::bigint
        from raw.landed_file
        semi join (
            select unnest($calls) as call, unnest($told) as told, unnest($shown) as shown
        ) as wanted
            on landed_file.call = wanted.call
            and landed_file.load_id > wanted.told and landed_file.load_id <= wanted.shown
        group by call, load_id order by load_id, call limit $most
        """,
        {
            "calls": list(shown),
            "told": [told.get(call, 0) for call in shown],
            "shown": list(shown.values()),
            "most": MOST,
        },
    ).fetchall()
    for call, load_id, loaded_at, loaded, rejected in rows:
        yield Brought(call, load_id, _body(settings, call, load_id, loaded_at, (loaded, rejected)))


def _body(
    settings: Settings, call: str, load_id: int, loaded_at: datetime, rows: tuple[int, int]
) -> dict[str, Any]:
    at = f"{loaded_at.isoformat(timespec='milliseconds')}Z"
    destination = f"{settings.schema_name}.{call}"
    return {
        "version": 1,
        "minimum_sdc_batched_at": at,
        "integration_name": settings.integration_name,
        "new_version": False,
        "source_root_table_name": call,
        "destination_root_table_name": destination,
        "table_version": load_id,
        "tables": [
            {
                "source_table_name": call,
                "destination_table_name": destination,
                "num_rows": rows[0],
                "num_rows_rejected": rows[1],
                "primary_keys": ["message_id"],
                "s3_objects": [],
                "max_time_extracted": at,
                "bookmark_metadata": [],
            }
        ],
    }
