"""Transactions of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of a `with` block, or nothing of it."""
    con.execute("begin")
    try:
        yield
        con.execute("commit")
    except BaseException:
        # After a commit that failed DuckDB has rolled back already, and that it cannot do so again
        # must not hide the reason.
        with suppress(duckdb.TransactionException):
            con.rollback()
        raise
