"""dbt's sources as assets: the tables that a load writes, and what is noted of columns."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.defs.asset_details import TABLE_NAME
from orchestration.defs.dbt_assets import manifest
from orchestration.defs.landing_assets import LANDING
from orchestration.defs.table_metadata import SCHEMA
from orchestration.models.own_models import PROJECT
from orchestration.warehouse.raw_tables import COLUMNS

RAW = "raw"
"""dbt's name of the source that loads write, its schema, and the group of its tables."""

_READ = {name for node in manifest()["nodes"].values() for name in node["depends_on"]["nodes"]}


def _source(name: str, table: str) -> Mapping[str, Any]:
    source: Mapping[str, Any] = manifest()["sources"][f"source.{PROJECT}.{name}.{table}"]
    return source


def source_metadata(name: str, table: str) -> dict[str, Any]:
    """The table's name and its columns, as a definition says them."""
    source = _source(name, table)
    types = _types(name, table)
    said = {column.lower(): about["description"] for column, about in source["columns"].items()}
    columns = [
        dg.TableColumn(column, types.get(column, "?"), description=said.get(column))
        for column in dict.fromkeys([*types, *said])
    ]
    place = ".".join((source["database"], source["schema"], source["identifier"]))
    return {TABLE_NAME: place} | ({SCHEMA: dg.TableSchema(columns)} if columns else {})


def _types(name: str, table: str) -> dict[str, str]:
    statement = COLUMNS.get(f"{name}.{table}") or COLUMNS.get(f'{name}."{table}"', "")
    return dict(column.split()[:2] for column in statement.split(",") if column.strip())


def _spec(name: str, table: str) -> dg.AssetSpec:
    raw_field = dg.AssetKey([RAW, "field"])
    return dg.AssetSpec(
        dg.AssetKey([name, table]),
        deps=[LANDING if name == RAW else raw_field],
        description=_source(name, table)["description"],
        group_name=name,
        kinds={"duckdb", "table"},
        metadata=source_metadata(name, table),
    )


def source_assets(others: set[dg.AssetKey]) -> list[dg.AssetSpec]:
    """What our models read beside the tables of events, which a load writes too.

    Args:
        others: The assets that there are already.
    """
    found = [
        _spec(source["source_name"], source["name"])
        for unique_id, source in sorted(manifest()["sources"].items())
        if source["package_name"] == PROJECT
        and unique_id in _READ
        and source["source_name"] in {RAW, "columns"}
    ]
    return [spec for spec in found if spec.key not in others]
