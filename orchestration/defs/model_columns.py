"""What materializations say of a model's columns: their types, and which columns they come from.

Of ours it is said when they are others than at the last materialization, as Dagster keeps each; a
user's models are run far less often, and say it each time.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import dagster as dg
import duckdb

from orchestration.defs.column_lineage import MOST_COLUMNS, Relation, column_lineage
from orchestration.defs.table_metadata import SCHEMA
from orchestration.models.own_models import is_own

log = logging.getLogger(__name__)

COLUMNS = "columns"
"""In a materialization: how many columns there were."""

LINEAGE = "dagster/column_lineage"


class Parent(NamedTuple):
    """What a model may read."""

    relation: Relation
    key: dg.AssetKey


def columns_metadata(
    con: duckdb.DuckDBPyConnection,
    node: Any,
    said: Mapping[str, Any],
    before: Mapping[str, Any],
    parents: Mapping[str, Parent],
) -> dict[str, Any]:
    """What is said of the columns of a model that dbt has run.

    Args:
        con: The warehouse.
        node: The model, as dbt has run it.
        said: What is said of it already, maybe its columns.
        before: What its last materialization said.
        parents: What dbt's models and sources are, by dbt's ids.
    """
    schema: dg.TableSchema | None = said.get(SCHEMA)
    more: dict[str, Any] = {}
    if COLUMNS not in said:
        types = _types(con, node.relation_name)
        more[COLUMNS] = len(types)
        if types and not (is_own(node.fqn) and before.get(COLUMNS) == len(types)):
            schema = dg.TableSchema([dg.TableColumn(name, kind) for name, kind in types.items()])
            more[SCHEMA] = schema
    if schema is not None and (lineage := _lineage(con, node, schema, parents)):
        more[LINEAGE] = lineage
    return more


def _lineage(
    con: duckdb.DuckDBPyConnection,
    node: Any,
    schema: dg.TableSchema,
    parents: Mapping[str, Parent],
) -> dg.TableColumnLineage | None:
    columns = [column.name for column in schema.columns]
    if not node.compiled_code or len(columns) > MOST_COLUMNS:
        return None
    read = [parents[one] for one in node.depends_on.nodes if one in parents]
    known: dict[Relation, list[str]] = {
        one.relation: list(_types(con, relation_name(node.database, one.relation))) for one in read
    }
    known[node.schema, node.alias] = columns  # an incremental model reads itself
    keys = {one.relation: one.key for one in read}
    return column_lineage(node.compiled_code, columns, known, keys, node.database)


def relation_name(database: str, relation: Relation) -> str:
    """A relation as a query names it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in (database, *relation))


def _types(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Column → type; nothing of what a user has made so that only dbt's session can read it."""
    try:
        con.execute(f"select * from {relation} limit 0")  # noqa: S608 - dbt's name
    except duckdb.Error as error:
        log.debug("columns of %s are not known: %s", relation, error)
        return {}
    return {name: str(kind).lower() for name, kind, *_ in con.description or ()}
