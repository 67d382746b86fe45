"""Whose a thing in the lake is: ours can be made again, a user's is in no file."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

from landed.folders import CALLS
from orchestration.columns.update import TABLES as COLUMN_TABLES
from orchestration.models.manifest import manifest_path, write_manifest
from orchestration.models.schema_name import OWN_COLUMNS, PARTS
from orchestration.settings import Settings
from orchestration.warehouse.catalog import (
    DATABASE,
    columns_in,
    comments,
    full_name,
    macros,
    now,
    tables,
    views,
)
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.raw_tables import COLUMNS as RAW_TABLES

Relation = tuple[str, str]
"""Schema and name."""

_BESIDE = re.compile("(.+)__dbt_(?:tmp(?:_[0-9]+)?|backup)")
"""What dbt builds beside a model, and a killed one leaves until the next run."""

FOUND = ("Found in the events at ", "What of ")
"""How the comments begin that columns of fields that were seen have (persist_docs.sql,
columns/widened.py)."""


def users_things(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Name what neither the files nor a run of the models would bring back, in any schema.

    Those are tables, views, macros, and columns of our tables that we did not make.

    Raises:
        DbtFailedError: the project cannot be parsed, so nobody knows what its models make.
    """
    sets: dict[Relation, set[str]] = {
        relation: {"name", "description", "definition"}
        for relation, materialized in _models(write_manifest(settings)).items()
        if materialized == "view_set"
    }
    return sorted(
        [
            *users_relations(con, settings),
            *users_columns(con, settings, settings.schema_name),
            *_columns_beyond(con, _RAW | sets),
        ]
    )


def users_relations(con: duckdb.DuckDBPyConnection, settings: Settings) -> list[str]:
    """Name the tables, views and macros among them."""
    models = _models(write_manifest(settings))
    found = tables(con) | views(con)
    ours = _RAW.keys() | models.keys() | _views_of_sets(con, models, found)
    relations = {
        f"{schema}.{name}"
        for schema, name in found - ours
        if not _is_beside_a_model((schema, name), models)
    }
    return sorted(relations | {f"{schema}.{name}()" for schema, name in macros(con)})


def users_columns(con: duckdb.DuckDBPyConnection, settings: Settings, schema: str) -> list[str]:
    """Name the columns of the final tables in a schema that are not ours."""
    is_set = schema == settings.schema_name
    there = {} if is_set else columns_in(con, schema)
    ours = {
        (schema, call): {*node["columns"]} | _found_columns(con, schema, call)
        for node in _model_nodes(write_manifest(settings))
        if (call := node["name"]) in CALLS and (is_set or there.get(call, set()) >= OWN_COLUMNS)
    }
    return _columns_beyond(con, ours)


def own_relations(con: duckdb.DuckDBPyConnection, settings: Settings, schema: str) -> set[Relation]:
    """What the models make, as far as it is there, in the schemas of an integration's name.

    A table of a call's name without our columns is a user's.
    """
    name = settings.schema_name
    models = {
        (f"{schema}{owner.removeprefix(name)}", alias): materialized
        for (owner, alias), materialized in _models(write_manifest(settings)).items()
        if owner in {f"{name}{part}" for part in PARTS}
    }
    found = tables(con) | views(con)
    users = {
        (schema, call)
        for call, columns in columns_in(con, schema).items()
        if call in CALLS and not columns >= OWN_COLUMNS
    }
    return found & models.keys() - users | _views_of_sets(con, models, found)


def users_folders(settings: Settings) -> list[str]:
    """Folders of Parquet files, one a table, that are no table of ours. Asks no catalog.

    In the schemas of the models only what the manifest tells apart, if there is one.
    """
    manifest = manifest_path(settings)
    models = _models(manifest) if manifest.exists() else {}
    unknown = set() if models else {f"{settings.schema_name}{part}" for part in PARTS}
    address = settings.data_address
    places = (
        re.match(r"/([^/]+)/([^/]+)/", file.removeprefix(address))
        for file in place_at(address).files()
    )
    found = {(place[1], place[2]) for place in places if place}
    return sorted(
        f"{address}/{schema}/{table}"
        for schema, table in found
        if schema not in unknown
        and (schema, table) not in _RAW.keys() | models.keys()
        and not _is_beside_a_model((schema, table), models)
    )


def _models(manifest: Path) -> dict[Relation, str]:
    """What a run of dbt makes, and how it is materialized."""
    return {
        (node["schema"], node["alias"]): node["config"]["materialized"]
        for node in _model_nodes(manifest)
    }


def _model_nodes(manifest: Path) -> list[dict[str, Any]]:
    nodes = json.loads(manifest.read_bytes())["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


def _is_beside_a_model(relation: Relation, models: Iterable[Relation]) -> bool:
    schema, name = relation
    beside = _BESIDE.fullmatch(name)
    return beside is not None and (schema, beside[1]) in models


def _columns_beyond(con: duckdb.DuckDBPyConnection, known: dict[Relation, set[str]]) -> list[str]:
    there = {schema: columns_in(con, schema) for schema, _ in known}
    return sorted(
        f"{schema}.{table}.{column}"
        for (schema, table), columns in known.items()
        for column in there[schema].get(table, set()) - columns
    )


def _found_columns(con: duckdb.DuckDBPyConnection, schema: str, call: str) -> set[str]:
    """Those of fields that were seen, also of such as columns.yml has left out since."""
    commented = {
        place[-1]
        for place, comment in comments(con).items()
        if place[:-1] == ("column", schema, call) and comment.startswith(FOUND)
    }
    if ("columns", "placement") not in tables(con):  # the models have never run
        return commented
    placed = con.execute(
        "select unnest([column_name, sibling_name]) from columns.placement where table_name = ?",
        [call],
    ).fetchall()
    return commented | {name for (name,) in placed if name}


def _views_of_sets(
    con: duckdb.DuckDBPyConnection, models: dict[Relation, str], found: set[Relation]
) -> set[Relation]:
    """Views whose names the data knows: they are as their model's table says (view_set.sql)."""
    names: set[Relation] = set()
    for (schema, table), materialized in models.items():
        if materialized == "view_set" and (schema, table) in found:
            rows = con.execute(
                f"""
                select known.view_name
                from {full_name(schema, table)} as recorded
                join {now("view")} as known on lower(recorded.name) = lower(known.view_name)
                join {now("schema")} as owner using (schema_id)
                where
                    owner.schema_name = $1
                    and {_as_understood("known.sql")} = {_as_understood("recorded.definition")}
                """,  # noqa: S608 - dbt's names and our own words
                [schema],
            )
            names |= {(schema, name) for (name,) in rows.fetchall()}
    return names


def _as_understood(query: str) -> str:
    """As the macro of that name in view_set.sql."""
    text = f"replace({query}, '{{DUCKLAKE_CATALOG}}.', '{DATABASE}.')"
    return f"try(json_deserialize_sql(json_serialize_sql({text})))"


def _names(columns: str) -> set[str]:
    return {column.split()[0] for column in columns.split(",")}


_RAW: dict[Relation, set[str]] = {
    ("columns", table): _names(columns) for table, columns in COLUMN_TABLES.items()
} | {("raw", name.removeprefix("raw.").strip('"')): _names(of) for name, of in RAW_TABLES.items()}
"""The tables that no model makes, and their columns."""
