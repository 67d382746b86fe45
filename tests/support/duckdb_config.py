"""DuckDB as tests have it, in their own process and in those they fork: half the processor's time.

The processes that tests start as a user does have DuckDB as it ships.
"""

from orchestration.loading import warehouse


def spare_the_processor() -> None:
    """Leave out what costs tests much and tells them nothing.

    With every connection DuckDB hashes its extensions to check their signature: half a second. A
    second thread for queries of a few rows costs a fifth of all that dbt does.
    """
    warehouse.CONFIG |= {"allow_unsigned_extensions": True, "threads": 1}
