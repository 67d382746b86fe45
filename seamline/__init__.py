"""`seamline`: one command for all of it, and the warehouse for Python."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def connect() -> "duckdb.DuckDBPyConnection":
    """Open the warehouse for reading, as the settings of this environment say where it is.

    Returns:
        A DuckDB connection with the lake attached and selected as `seamline`, in UTC. Any number
        may be open, in any number of processes, while Seamline writes.

    Raises:
        WarehouseMissingError: nothing has been loaded yet.
        WarehouseUnusableError: there is a catalog, and it cannot be opened, or not now.
    """
    from orchestration.settings import Settings  # noqa: PLC0415 - not for the command's help
    from orchestration.warehouse import connection  # noqa: PLC0415

    return connection.connect(Settings(), read_only=True)
