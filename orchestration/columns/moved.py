"""Columns of final tables follow their fields, where another version or other rules name them anew.

A column that one field had is renamed, which costs an entry in the catalog. One that several
fields shared stays the first one's; which of its values are whose the payloads alone say, so
`columns.to_fill` names the columns whose rows the table's next run reads again from them
(dbt_project/macros/fill_moved_columns.sql).
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping

import duckdb

from orchestration.columns.names import names_of_numbers
from orchestration.columns.placement import Placement
from orchestration.loading.observed_fields import LONG
from orchestration.warehouse.catalog import columns_in, full_name, quoted, tables, views

log = logging.getLogger(__name__)

Column = tuple[str, str]
"""Name and type."""

Fates = dict[Column, list[Column | None]]
"""A column → those that its fields have now, the first field's first; None for one without."""


def move_columns(
    con: duckdb.DuckDBPyConnection, placements: Mapping[str, Iterable[Placement]]
) -> None:
    """Rename columns of final tables as their fields are placed now, or note what is to be filled.

    In an open transaction, in which `columns.placement` says how they were placed.
    """
    for call, of_call in placements.items():
        fates = _fates(con, call, of_call)
        if any({column} != set(now) for column, now in fates.items()):
            for schema in _schemas(con, call):
                _move(con, schema, call, fates)


def _fates(con: duckdb.DuckDBPyConnection, call: str, placements: Iterable[Placement]) -> Fates:
    now = {}
    documented = set()  # these have their names from the first day
    for place, one in enumerate(placements):
        if one.table_name == call:
            documented |= {one.column_name} if one.type is None else set()
            now[one.path, one.type, True] = place, one.column_name, one.column_type
            now[one.path, one.type, False] = place, one.sibling_name, one.sibling_type
    found: defaultdict[Column, list[tuple[int, Column | None]]] = defaultdict(list)
    paths: defaultdict[Column, set[str]] = defaultdict(set)
    for path, kind, is_own, column, column_type in con.execute(
        """
        select path, type, true, column_name, column_type from columns.placement
        where call = table_name and call = $1 and column_name is not null
        union all
        select path, type, false, sibling_name, sibling_type from columns.placement
        where call = table_name and call = $1 and sibling_name is not null
        """,
        [call],
    ).fetchall():
        place, name, name_type = now.get((path, kind, is_own), (0, None, None))
        if kind == LONG and name_type == "varchar" and column_type == "bigint":
            continue  # digits of a column that became double are where they belong (widened.py)
        other = (name, name_type or "") if name else None
        found[column, column_type].append((place, other))
        paths[column, column_type].add(path)
    for column, others in found.items():
        is_moved = any(other is None or other[0] != column[0] for _, other in others)
        if is_moved or len(paths[column]) > 1:
            # an earlier version listed such numbers as any others
            for path in sorted(paths[column]):
                place, name, name_type = now.get((path, LONG, True), (0, None, None))
                if name:
                    others.append((place, (name, name_type or "")))
    return {
        column: list(dict.fromkeys(other for _, other in sorted(others, key=lambda one: one[0])))
        for column, others in found.items()
        if column[0] not in documented
        and not (len(paths[column]) == 1 and _is_merged(column, [other for _, other in others]))
    }


def _is_merged(column: Column, others: Iterable[Column | None]) -> bool:
    """Whether it is a sibling for numbers, whose numbers are in their one column by now."""
    names = names_of_numbers(column[0])
    doubles = {(name, "double") for name in names if name != column[0]}
    return column[0] in names[1:] and all(other in doubles for other in others)


def _schemas(con: duckdb.DuckDBPyConnection, call: str) -> list[str]:
    """Where there is a final table of a call, under whichever name."""
    staged = views(con)
    return sorted(
        schema
        for schema, name in tables(con)
        if name == call and (f"{schema}_staging", f"stg_segment__{call}") in staged
    )


def _move(con: duckdb.DuckDBPyConnection, schema: str, call: str, fates: Fates) -> None:
    there = columns_in(con, schema)[call]
    users = there - {name for name, _ in fates}
    to_fill: set[str] = set()
    for (name, kind), others in fates.items():
        now = [other for other in others if other]
        names = {other for other, _ in now}
        if not now or (names == {name} and len(now) == len(others)):
            continue
        first, first_kind = now[0]
        is_renamed = name in there - names and first not in there and first_kind == kind
        if is_renamed:
            con.execute(
                f"alter table {full_name(schema, call)} "
                f"rename column {quoted(name)} to {quoted(first)}"
            )
            there = there - {name} | {first}
        if len(others) > 1 or not is_renamed:
            to_fill |= names - users
    if to_fill:
        con.execute(
            "insert into columns.to_fill select $1, $2, unnest($3)",
            [schema, call, sorted(to_fill)],
        )
        log.warning(
            "Columns of %s.%s held values of several fields, and each has one of its own now: the "
            "next run of its models reads %d columns of all rows again from raw.",
            *(schema, call, len(to_fill)),
        )
