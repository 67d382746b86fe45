"""What DuckLake notes of each column of each file: its least and its greatest value.

Whoever filters a table has all of these read, of every file of every table, as DuckDB reads whole
tables of the catalog. A final table has a hundred columns, and a run that stays adds a file to each
with every pass. So of small files, which upkeep writes together within the hour, they are kept of
those columns alone by which files are chosen; by others DuckLake opens the file and asks that
(docs/decisions/0053-statistics-of-small-files.md).
"""

from collections.abc import Collection

import duckdb

from orchestration.warehouse.catalog import CATALOG, DATABASE, full_name, now, number, tables
from orchestration.warehouse.rewrite import hides_files, write_anew
from orchestration.warehouse.transaction import transaction

KEPT = (
    *("message_id", "received_at", "timestamp", "_sdc_sequence", "_seamline_load_id"),
    *("load_id", "file", "hour"),
)
"""The columns of final and raw tables by which increments, audits and people choose files."""

BELOW_BYTES = 1_000_000
"""What upkeep writes together as soon as there are two of them."""

COLUMNS = f"""
    select table_id, column_id, min(begin_snapshot) as begun
    from {CATALOG}.ducklake_column
    group by table_id, column_id
    having bool_or(end_snapshot is null) and min(column_type) not in ('list', 'map', 'struct')
"""  # noqa: S608 - a name of our own
"""SQL of the columns that files have statistics of, and of the snapshot that each began with.

A change of its type begins a column anew, and files are older then.
"""


def thin_statistics(con: duckdb.DuckDBPyConnection, schemas: Collection[str]) -> int:
    """Delete them where they cost more than they save; the caller is the one writer.

    Args:
        con: The warehouse, in no transaction.
        schemas: Whose tables.

    Returns:
        How many there were.
    """
    return number(
        con,
        f"""
        delete from {CATALOG}.ducklake_file_column_stats
        where data_file_id in (
            select data_file_id
            from {CATALOG}.ducklake_data_file
            join {CATALOG}.ducklake_table using (table_id)
            join {CATALOG}.ducklake_schema using (schema_id)
            where list_contains($1, schema_name) and file_size_bytes < {BELOW_BYTES}
        )
        and (table_id, column_id) not in (
            select (table_id, column_id) from {CATALOG}.ducklake_column
            where list_contains($2, column_name)
        )
        """,  # noqa: S608 - a name of our own
        list(schemas),
        list(KEPT),
    )


Table = tuple[str, str]
"""Schema and name."""


def thinned_files(
    con: duckdb.DuckDBPyConnection, schemas: Collection[str]
) -> dict[Table, list[str]]:
    """Return the names of those files whose statistics are not whole, by their table.

    Args:
        con: The warehouse.
        schemas: Whose tables.
    """
    rows = con.execute(
        f"""
        select schema_name, table_name, list(distinct parse_filename(file.path))
        from {now("data_file")} as file
        join {now("table")} as owner using (table_id)
        join {now("schema")} using (schema_id)
        join ({COLUMNS}) as of_table
            on of_table.table_id = file.table_id and begun <= file.begin_snapshot
        anti join {CATALOG}.ducklake_file_column_stats as noted
            on noted.data_file_id = file.data_file_id
            and noted.column_id = of_table.column_id
        where list_contains($1, schema_name)
        group by schema_name, table_name
        """,  # noqa: S608 - our own words
        [list(schemas)],
    ).fetchall()
    return {(schema, table): names for schema, table, names in rows}


def complete_statistics(con: duckdb.DuckDBPyConnection, table: Table, names: list[str]) -> None:
    """Write files of a table together, so that their statistics are whole, in a transaction.

    Args:
        con: The warehouse; the caller is the one writer.
        table: The table.
        names: As `thinned_files` names them; what is no more, as upkeep has come meanwhile, is left
            out.
    """
    if table not in tables(con):
        return
    schema, name = table
    listed = con.execute(
        "select data_file from ducklake_list_files($1, $2, schema => $3) "
        "where list_contains($4, parse_filename(data_file))",
        [DATABASE, name, schema, names],
    ).fetchall()
    if listed and not hides_files(con, full_name(*table)):
        with transaction(con):
            write_anew(con, full_name(*table), [path for (path,) in listed])
