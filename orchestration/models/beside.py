"""A user's table is computed while others may write, and only written as the one writer.

What a session has read in a transaction it can no longer write in one once another has committed:
DuckLake fails with "database is locked". So the rows go into a temporary table first, without the
writer's lock, and from there into the model's table (docs/decisions/0026-marts-beside-loads.md).
"""

from typing import Any

import duckdb
from dbt.adapters.base.relation import BaseRelation
from dbt.adapters.factory import get_adapter_by_type
from dbt_common.exceptions import DbtRuntimeError

from orchestration.settings import Settings
from orchestration.warehouse.catalog import CATALOG, DATABASE
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.writer_lock import Writer

COMPUTED = "seamline_computed"
"""The temporary table; macros/create_table_as.sql reads it."""


def compute(settings: Settings, writer: Writer, table: BaseRelation, query: str) -> None:
    """Compute what a model's query says into the temporary table, beside other writers.

    Args:
        settings: Where the warehouse is.
        writer: The command's.
        table: The model's.
        query: Its SQL.

    Raises:
        DbtRuntimeError: the query fails, or the model's table or all of the warehouse was replaced
            meanwhile; the table is as it was.
    """
    adapter = get_adapter_by_type("duckdb")  # type: ignore[no-untyped-call]
    connection = adapter.connections.get_thread_connection()
    cursor = connection.handle.cursor()
    if connection.transaction_open:
        cursor.execute("commit")
    catalog = catalog_of(settings)
    identity = catalog.identity()
    before = _version(cursor, table)
    try:
        with writer.pause():
            cursor.execute(f"create or replace temporary table {COMPUTED} as (\n{query}\n)")
    except duckdb.Error as error:
        raise DbtRuntimeError(str(error)) from error
    finally:
        if catalog.identity() != identity:
            cursor.execute(f"detach {DATABASE}")  # nothing is written to what is no longer read
        elif connection.transaction_open:
            cursor.execute("begin")
    if catalog.identity() != identity or _version(cursor, table) != before:
        raise DbtRuntimeError(
            f"{table.schema}.{table.identifier} was written by another command while it was "
            "computed here. It is left as that one made it; run it again."
        )


def _version(cursor: Any, table: BaseRelation) -> Any:
    """What is another once a table was written to, or its files were put together."""
    return cursor.execute(
        f"""
        select
            known.table_id,
            (
                select max(file.data_file_id) from {CATALOG}.ducklake_data_file as file
                where file.table_id = known.table_id
            ),
            (
                select max(gone.delete_file_id) from {CATALOG}.ducklake_delete_file as gone
                where gone.table_id = known.table_id
            )
        from {CATALOG}.ducklake_table as known
        inner join {CATALOG}.ducklake_schema as owner on known.schema_id = owner.schema_id
        where
            known.end_snapshot is null
            and owner.end_snapshot is null
            and owner.schema_name = ?
            and known.table_name = ?
        """,  # noqa: S608 - the catalog's own name
        [table.schema, table.identifier],
    ).fetchall()
