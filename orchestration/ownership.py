"""Whose a table, view or macro of the lake is: ours can be made again, a user's is in no file."""

import json
import re
from pathlib import Path

import duckdb

from orchestration import dbt
from orchestration.columns.update import TABLES as COLUMN_TABLES
from orchestration.loading.lake import macros, tables, views
from orchestration.loading.tables import COLUMNS as RAW_TABLES
from orchestration.schema_name import PARTS
from orchestration.settings import Settings

Relation = tuple[str, str]
"""Schema and name."""

_DBTS = re.compile(r".*__dbt_(tmp|backup|new)\w*")
"""What dbt builds beside a table, and a killed one leaves until the next run."""


def users_relations(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Name what neither the files nor a run of the models would bring back, in any schema.

    Raises:
        DbtFailedError: the project cannot be parsed, so nobody knows what its models make.
    """
    models = _models(dbt.write_manifest(settings))
    found = tables(con) | views(con)
    ours = _RAW | models.keys() | _views_of_sets(con, models, found)
    relations = {f"{schema}.{name}" for schema, name in found - ours if not _DBTS.fullmatch(name)}
    return sorted(relations | {f"{schema}.{name}()" for schema, name in macros(con)})


def users_folders(settings: Settings) -> list[Path]:
    """Folders of Parquet files, one a table, that are no table of ours. Asks no catalog.

    In the schemas of the models only what the manifest tells apart, if there is one.
    """
    manifest = dbt.manifest_path(settings)
    models = _models(manifest) if manifest.exists() else {}
    unknown = set() if models else {f"{settings.schema_name}{part}" for part in PARTS}
    return sorted(
        folder
        for folder in settings.data.glob("*/*")
        if (schema := folder.parent.name) not in unknown
        and (schema, folder.name) not in _RAW | models.keys()
        and not _DBTS.fullmatch(folder.name)
        and any(folder.rglob("*.parquet"))
    )


def _models(manifest: Path) -> dict[Relation, str]:
    """What a run of dbt makes, and how it is materialized."""
    nodes = json.loads(manifest.read_bytes())["nodes"].values()
    return {
        (node["schema"], node["alias"]): node["config"]["materialized"]
        for node in nodes
        if node["resource_type"] == "model"
    }


def _views_of_sets(
    con: duckdb.DuckDBPyConnection, models: dict[Relation, str], found: set[Relation]
) -> set[Relation]:
    """Views whose names the data knows: they are in their model's table (view_set.sql)."""
    names: set[Relation] = set()
    for (schema, table), materialized in models.items():
        if materialized == "view_set" and (schema, table) in found:
            rows = con.execute(f'select name from "{schema}"."{table}"')  # noqa: S608 - dbt's names
            names |= {(schema, name) for (name,) in rows.fetchall()}
    return names


_RAW: set[Relation] = {("columns", table) for table in COLUMN_TABLES} | {
    ("raw", name.removeprefix("raw.").strip('"')) for name in RAW_TABLES
}
