"""What DuckLake notes of each column of each file: its least and its greatest value.

Whoever filters a table has all of these read, of every file of every table, as DuckDB reads whole
tables of the catalog. A final table has a hundred columns, and a run that stays adds a file to each
with every pass. So of small files, which upkeep writes together within the hour, they are kept of
those columns alone by which files are chosen; by others DuckLake opens the file and asks that
(docs/decisions/0053-statistics-of-small-files.md).
"""

import duckdb

from orchestration.warehouse.catalog import CATALOG, DATABASE, full_name, now, number
from orchestration.warehouse.rewrite import write_anew
from orchestration.warehouse.transaction import transaction

KEPT = (
    *("message_id", "received_at", "timestamp", "_sdc_received_at", "_sdc_batched_at"),
    *("_sdc_sequence", "_seamline_credential", "_seamline_load_id", "_seamline_file"),
)
"""The columns of final tables by which increments, exports and people choose files."""

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


def thin_statistics(con: duckdb.DuckDBPyConnection, schema: str) -> int:
    """Delete them where they cost more than they save; the caller is the one writer.

    Args:
        con: The warehouse, in no transaction.
        schema: Whose tables.

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
            where schema_name = $1 and file_size_bytes < {BELOW_BYTES}
        )
        and (table_id, column_id) not in (
            select (table_id, column_id) from {CATALOG}.ducklake_column
            where list_contains($2, column_name)
        )
        """,  # noqa: S608 - a name of our own
        schema,
        list(KEPT),
    )


def complete_statistics(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Write those files together whose statistics are not whole, so that they are.

    Whoever goes by all values of a column wants this first. Each table in a transaction.

    Args:
        con: The warehouse; the caller is the one writer.
        schema: Whose tables.
    """
    thinned = con.execute(
        f"""
        select table_name, list(distinct parse_filename(file.path))
        from {now("data_file")} as file
        join {now("table")} as owner using (table_id)
        join {now("schema")} using (schema_id)
        join ({COLUMNS}) as of_table
            on of_table.table_id = file.table_id and begun <= file.begin_snapshot
        anti join {CATALOG}.ducklake_file_column_stats as noted
            on noted.data_file_id = file.data_file_id
            and noted.column_id = of_table.column_id
        where schema_name = $1
        group by table_name
        """,  # noqa: S608 - our own words
        [schema],
    ).fetchall()
    for table, names in thinned:
        listed = con.execute(
            "select data_file from ducklake_list_files($1, $2, schema => $3) "
            "where list_contains($4, parse_filename(data_file))",
            [DATABASE, table, schema, names],
        ).fetchall()
        with transaction(con):
            write_anew(con, full_name(schema, table), [path for (path,) in listed])
