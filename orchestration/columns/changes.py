"""What changed of the columns that people query: their types and names.

A column that comes changes no query, and `segment.field` says since when its field is there; one
that goes does so by the operator's word. So what is listed is of columns that are there, the last
changes of each: nobody's columns push out what is listed of another's, and a name that is erased
goes from the list with its column.
"""

from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

MOST_OF_A_COLUMN = 10
"""Changes of one column that are kept."""


def listed_changes(
    con: duckdb.DuckDBPyConnection, placement: pa.Table, shown_column: pa.Table
) -> list[dict[str, Any]]:
    """The rows of `columns.column_change` once others take the place of what is beside it.

    Args:
        con: The warehouse, with the old ones.
        placement: The new rows of `columns.placement`.
        shown_column: Those of `columns.shown_column`.
    """
    con.register("new_placement", placement)
    con.register("new_shown_column", shown_column)
    answer = con.execute(
        f"""
        with
        old_filled as ({_filled("columns.placement", "columns.shown_column")}),
        new_filled as ({_filled("new_placement", "new_shown_column")}),
        old_column as (
            select owner, relation, name, min(type) as type from old_filled group by all
        ),
        new_column as (
            select owner, relation, name, min(type) as type from new_filled group by all
        ),
        retyped as (
            select new.*, old.name as old_name, old.type as old_type
            from new_column as new
            join old_column as old using (owner, relation, name)
            where new.type <> old.type
        ),
        -- values of a field whose column is no more, and which have another
        moved as (
            select
                owner, relation, new.name, min(new.type) as type,
                old.name as old_name, min(old.type) as old_type
            from (from new_filled except from old_filled) as new
            join (from old_filled except from new_filled) as old
                using (owner, relation, path, of_type, is_sibling)
            anti join new_column as still
                on owner = still.owner and relation = still.relation and old.name = still.name
            group by owner, relation, new.name, old.name
        ),
        listed as (
            from columns.column_change
            union all
            select
                $now as changed_at,
                if(relation = '', owner, null) as table_name,
                nullif(relation, '') as relation,
                name as column_name, old_name, old_type, type as new_type
            from (from retyped union all by name from moved)
        )
        select listed.*
        from listed
        semi join new_column
            on coalesce(listed.relation, '') = new_column.relation
            and coalesce(listed.table_name, new_column.owner) = new_column.owner
            and listed.column_name = new_column.name
        qualify row_number() over (
            partition by table_name, relation, column_name order by changed_at desc, old_name
        ) <= $most
        order by all
        """,  # noqa: S608 - our own words
        {"now": datetime.now(UTC).replace(tzinfo=None), "most": MOST_OF_A_COLUMN},
    )
    rows: list[dict[str, Any]] = answer.to_arrow_table().to_pylist()
    con.unregister("new_placement")
    con.unregister("new_shown_column")
    return rows


def _filled(placement: str, shown_column: str) -> str:
    """The query of all columns, each with the values that fill it.

    `owner` is the table, `relation` what shows it in `segment_warehouse`, '' for the table itself.
    An earlier version did not say the type of each column of a relation: such rows say nothing.
    """
    return f"""
        with of_tables as (
            select
                table_name as owner, column_name as name, column_type as type,
                path, coalesce(type, '') as of_type, false as is_sibling
            from {placement} where column_name is not null
            union all
            select table_name, sibling_name, sibling_type, path, coalesce(type, ''), true
            from {placement} where sibling_name is not null
        )
        select owner, '' as relation, name, type, path, of_type, is_sibling from of_tables
        union all
        select owner, shown.relation, shown.name, shown.type, path, of_type, is_sibling
        from {shown_column} as shown
        join of_tables on shown.call = owner and shown.column_name = of_tables.name
        where shown.type is not null
    """  # noqa: S608 - our own words
