"""What is said of loads and of delivery: views of the warehouse, shown as tables in Dagster."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import duckdb

from orchestration.audit import delivery as deliveries
from orchestration.audit import recent_loads
from orchestration.audit.delivery import COUNTS, Delivery
from orchestration.audit.recent_loads import LoadReport
from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.dbt_assets import table_of
from orchestration.defs.table_metadata import as_code
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseMissingError

LOADS = dg.AssetKey([Settings().schema_name, recent_loads.VIEW])
DELIVERY = dg.AssetKey([Settings().schema_name, deliveries.VIEW])

NEWEST = 10
"""So many loads are shown."""

NAMES = 20
"""So many names of events are shown of a source, each of ten events or more."""


@dg.multi_asset(
    name="reports",
    specs=[
        dg.AssetSpec(
            LOADS,
            deps=[COMPLETENESS],
            group_name=Settings().schema_name,
            kinds={"dbt", "duckdb", "view"},
            metadata=table_of("segment_loads"),
            description="Every load: what it brought to each table, what was rejected and why, how "
            "long its parts took, and how soon it was shown. The newest are shown here; the view "
            "has all of them.",
        ),
        dg.AssetSpec(
            DELIVERY,
            deps=[COMPLETENESS],
            group_name=Settings().schema_name,
            kinds={"dbt", "duckdb", "view"},
            metadata=table_of("segment_delivery"),
            description="What became of what was received, by day, source, call and name of the "
            "event: shut out, suppressed, rejected, waiting, duplicate or a row, and how soon. "
            "Today is shown here; the view has every day, and so has `seamline delivery --day`.",
        ),
    ],
    can_subset=True,
    description="Reads views, and changes nothing.",
)
def reports(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Show what the views say now."""
    settings = Settings()
    try:
        with connect(settings, read_only=True) as con:
            if LOADS in context.selected_asset_keys:
                yield loads_result(con, settings)
            if DELIVERY in context.selected_asset_keys:
                yield delivery_result(con, settings, datetime.now(UTC))
    except WarehouseMissingError:
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)


def loads_result(con: duckdb.DuckDBPyConnection, settings: Settings) -> dg.MaterializeResult[None]:
    """Show the newest loads, and as numbers that plot what the last one took."""
    found = recent_loads.recent_loads(con, settings, NEWEST)
    last = [one for one in found if one.load_id == found[0].load_id]
    metadata: dict[str, Any] = {}
    if last:
        lags = [one.lag_seconds for one in last if one.lag_seconds is not None]
        metadata = {
            "load": last[0].load_id,
            **{
                name: sum(getattr(one, name) for one in last)
                for name in ("files", "loaded", "rejected")
            },
            **({"lag_seconds": round(max(lags), 3)} if lags else {}),
            "newest_loads": _table(_LOADS, map(_load, found)),
        }
    return dg.MaterializeResult(asset_key=LOADS, metadata=metadata)


def delivery_result(
    con: duckdb.DuckDBPyConnection, settings: Settings, now: datetime
) -> dg.MaterializeResult[None]:
    """Show what became of what was received today, and as numbers that plot its sums."""
    found = deliveries.delivery(con, settings, now.date(), most=NAMES).deliveries
    return dg.MaterializeResult(
        asset_key=DELIVERY,
        metadata={
            **{name: sum(getattr(one, name) for one in found) for name in COUNTS},
            "today": _table(_DELIVERY, map(_delivery, found)),
        },
    )


_LOADS = (
    *("load", "table", "at (UTC)", "files", "bytes", "loaded", "rejected", "rows", "duplicate"),
    *("lag s", "read s", "fields s", "insert s", "commit s", "models s"),
)


def _load(one: LoadReport) -> str:
    why = ", ".join(
        f"{number} {as_code(why)}" for why, number in (one.rejected_by_reason or {}).items()
    )
    rejected = f"{one.rejected} ({why})" if why else one.rejected or ""
    cells = (
        *(one.load_id, one.table_name, f"{one.loaded_at:%Y-%m-%d %H:%M:%S}", one.files, one.bytes),
        *(one.loaded, rejected, one.rows, one.duplicate, *map(_seconds, one[10:])),
    )
    return _row(cells)


_DELIVERY = (
    *("source", "call", "event", *(name.replace("_", " ") for name in COUNTS)),
    *("lag p50 s", "lag p95 s"),
)


def _delivery(one: Delivery) -> str:
    others = "(others)" if one.call == "track" else ""
    return _row(
        (
            *(as_code(one.source), one.call or "(not stored)", as_code(one.event) or others),
            *(getattr(one, name) or "" for name in COUNTS),
            *map(_seconds, (one.lag_p50_seconds, one.lag_p95_seconds)),
        )
    )


def _table(head: tuple[str, ...], rows: Iterable[str]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join([_row(head), _row(("---",) * len(head)), *rows]))


def _row(cells: tuple[object, ...]) -> str:
    return f"| {' | '.join('' if cell is None else str(cell) for cell in cells)} |"


def _seconds(number: float | None) -> str:
    return "" if number is None else f"{number:.2f}"
