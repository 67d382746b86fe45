"""Transactions of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from orchestration.durable_files import NewFiles
from orchestration.warehouse.catalog import data_folder


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of a `with` block, or nothing of it; once it is in, no power cut takes it away.

    SQLite syncs the catalog when it commits, DuckDB never syncs a Parquet file.
    """
    files = NewFiles(data_folder(con))
    con.execute("begin")
    try:
        yield
        files.sync()
        con.execute("commit")
    except BaseException:
        # After a commit that failed DuckDB has rolled back already, and that it cannot do so again
        # must not hide the reason.
        with suppress(duckdb.TransactionException):
            con.rollback()
        raise
