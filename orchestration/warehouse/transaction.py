"""Transactions of the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from orchestration.warehouse.catalog import data_address
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.writer_lock import held_here


@contextmanager
def transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of a `with` block, or nothing of it; once it is in, no power cut takes it away.

    SQLite and PostgreSQL sync the catalog when they commit, DuckDB never syncs a Parquet file.

    Raises:
        LockLostError: the writer's lock was lost, and nothing was committed.
    """
    files = place_at(data_address(con)).new_files()
    lock = held_here()
    con.execute("begin")
    try:
        if lock and (pin := lock.pin()):
            # What this transaction reads is of a moment at which this was the writer. Who commits
            # after that takes the number that it would commit under, so it fails.
            con.execute(pin)
            lock.check()
        yield
        files.sync()
        if lock:
            lock.check()
        con.execute("commit")
    except BaseException:
        # After a commit that failed DuckDB has rolled back already, and that it cannot do so again
        # must not hide the reason.
        with suppress(duckdb.TransactionException):
            con.rollback()
        raise
