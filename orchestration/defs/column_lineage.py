"""From which columns a model's columns come, read from the SQL that dbt has run.

Said when a model's columns are others than before, and never else: it is long, and Dagster keeps
each. dagster-dbt's own asks for a dbt process of its own, and takes seconds for a table of ours.
"""

import logging
from collections.abc import Iterable, Mapping

import dagster as dg
from sqlglot import exp, parse_one
from sqlglot.lineage import Node, lineage

log = logging.getLogger(__name__)

MOST_COLUMNS = 500
"""Of a model with more none is said."""

MOST_CHARACTERS = 200_000
"""Nor of one with longer SQL."""

MOST_LEVELS = 300
"""Nor of one whose SQL goes deeper, as a sum of so many terms does: it takes the square of that."""

Relation = tuple[str, str]
"""Schema and name."""


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
        None for SQL that cannot be followed or is very long or deep, and for very many columns.
    """
    own = {column.lower(): column for column in columns}
    if len(own) > MOST_COLUMNS or len(sql) > MOST_CHARACTERS:
        return None
    known = {one: {column.lower(): column for column in many} for one, many in parents.items()}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for (folder, name), many in known.items():
        schema.setdefault(folder, {})[name] = dict.fromkeys(many, "text")
    try:  # the models were made: nothing here may keep them from being said to be
        query = parse_one(sql, dialect="duckdb")
        if _is_deep(query):
            return None
        # trimming the selects anew for each column takes a hundred times as long
        found: Mapping[str, Node] = lineage(
            None, query, {database: schema}, dialect="duckdb", trim_selects=False, copy=False
        )
        deps = {
            own[name.lower()]: _dependencies(node, known, keys)
            for name, node in found.items()
            if name.lower() in own
        }
    except Exception as error:  # noqa: BLE001 - at a user's SQL it raises anything
        log.debug("no column lineage: %s", error)
        return None
    return dg.TableColumnLineage(deps) if any(deps.values()) else None


def _is_deep(query: exp.Expr) -> bool:
    level = [query]
    for _ in range(MOST_LEVELS):
        level = [part for above in level for part in above.iter_expressions()]
    return bool(level)


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
