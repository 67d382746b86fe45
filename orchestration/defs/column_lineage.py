"""From which columns a model's columns come, read from the SQL that dbt has run.

Said when a model's columns are others than before, and never else: it is long, and Dagster keeps
each. dagster-dbt's own asks for a dbt process of its own, and takes seconds for a table of ours.
"""

import logging
from collections.abc import Iterable, Mapping

import dagster as dg
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage

log = logging.getLogger(__name__)

MOST_COLUMNS = 500
"""Of a model with more none is said."""

Relation = tuple[str, str]
"""Schema and name."""

_NOT_UNDERSTOOD = (SqlglotError, ValueError, LookupError, AttributeError, TypeError, RecursionError)
"""What sqlglot raises at SQL that it cannot follow, which a user may write."""


def column_lineage(
    sql: str,
    columns: Iterable[str],
    parents: Mapping[Relation, Iterable[str]],
    keys: Mapping[Relation, dg.AssetKey],
    database: str,
) -> dg.TableColumnLineage | None:
    """Say from which columns of its parents each column of a model comes.

    Args:
        sql: The model's SQL as dbt has run it.
        columns: The model's columns.
        parents: What it reads, with the columns of each.
        keys: The asset of each of those.
        database: Where all of them are.

    Returns:
        None for SQL that cannot be followed, and for what has very many columns.
    """
    own = {column.lower(): column for column in columns}
    if len(own) > MOST_COLUMNS:
        return None
    known = {one: {column.lower(): column for column in many} for one, many in parents.items()}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (folder, name), many in known.items():
        schema.setdefault(folder, {})[name] = dict.fromkeys(many, "text")
    try:
        # trimming the selects anew for each column takes a hundred times as long
        found: Mapping[str, Node] = lineage(
            None, sql, {database: schema}, dialect="duckdb", trim_selects=False, copy=False
        )
        deps = {
            own[name.lower()]: _dependencies(node, known, keys)
            for name, node in found.items()
            if name.lower() in own
        }
    except _NOT_UNDERSTOOD as error:
        log.debug("no column lineage: %s", error)
        return None
    return dg.TableColumnLineage(deps) if any(deps.values()) else None


def _dependencies(
    column: Node,
    parents: Mapping[Relation, Mapping[str, str]],
    keys: Mapping[Relation, dg.AssetKey],
) -> list[dg.TableColumnDep]:
    found = set()
    for node in column.walk():
        table = node.expression.find(exp.Table)
        if node.downstream or table is None:
            continue
        relation = (table.db, table.name)
        name = node.name.rpartition(".")[2].strip('"').lower()
        if relation in keys and name in parents[relation]:
            found.add((keys[relation], parents[relation][name]))
    return [dg.TableColumnDep(key, name) for key, name in sorted(found)]
