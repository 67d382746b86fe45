"""DuckDB as tests have it, in their own process and in those they fork: half the processor's time.

The processes that tests start as a user does have DuckDB as it ships.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from orchestration.loading import warehouse
from orchestration.settings import Settings


def spare_the_processor() -> None:
    """Leave out what costs tests much and tells them nothing.

    With every connection DuckDB hashes its extensions to check their signature: half a second. A
    second thread for queries of a few rows costs a fifth of all that dbt does.
    """
    warehouse.CONFIG |= {"allow_unsigned_extensions": True, "threads": 1}


@contextmanager
def reading(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to look at what is there.

    DuckLake asks its catalog for the statistics of each column of a table without rows, twice for
    each query: 3 ms a column. Two optimizers want them, and a look needs neither.
    """
    with warehouse.connect(settings, read_only=True) as con:
        con.execute("set disabled_optimizers = 'join_order,statistics_propagation'")
        yield con
