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
        roll_back(con)
        raise


def roll_back(con: duckdb.DuckDBPyConnection) -> None:
    """Undo what is not committed; after a commit that failed, DuckDB has done so already.

    For a handler of that failure, whose reason must not be lost behind "no transaction is active".
    """
    with suppress(duckdb.TransactionException):
        con.rollback()
