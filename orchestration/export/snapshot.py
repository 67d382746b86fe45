"""A table as it is in one snapshot of the warehouse, however many statements read it.

By its number, and not by a transaction: an erasure would wait for the end of that, and what is
exported to has transactions of its own. So upkeep or an erasure may expire the snapshot meanwhile,
and a rebuild may put another warehouse in the place of this one.
"""

from dataclasses import dataclass

import duckdb

from landed.errors import ReportedError
from orchestration.warehouse.catalog import CATALOG, DATABASE, column_types_in, full_name, number


class SnapshotExpiredError(ReportedError):
    """A snapshot is there no more."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__(
            "The snapshot of the warehouse that was read has expired, as an erasure, upkeep or a "
            "rebuild came in between. What was written stays; the next export does what is left."
        )


@dataclass(frozen=True)
class TableSnapshot:
    """A table in a snapshot.

    Attributes:
        con: The warehouse.
        schema: The schema of the table.
        table: The table.
        version: The number of the snapshot.
        made_at: When it was made; another warehouse has another snapshot of that number.
        columns: The columns with their types, as DuckLake writes them.
    """

    con: duckdb.DuckDBPyConnection
    schema: str
    table: str
    version: int
    made_at: str
    columns: dict[str, str]

    @property
    def name(self) -> str:
        """The table as it is then, as SQL names it behind `from`."""
        return f"{full_name(self.schema, self.table)} at (version => {self.version})"

    @property
    def is_there(self) -> bool:
        """Whether it can still be read."""
        query = (
            f"select count(*) from {CATALOG}.ducklake_snapshot "  # noqa: S608 - our own words
            "where snapshot_id = $1 and snapshot_time::varchar = $2"
        )
        return number(self.con, query, self.version, self.made_at) > 0

    def check(self) -> None:
        """See that what was read is of it.

        Raises:
            SnapshotExpiredError: it may not be.
        """
        if not self.is_there:
            raise SnapshotExpiredError


def newest(con: duckdb.DuckDBPyConnection, schema: str, table: str) -> TableSnapshot:
    """A table as it is now, or as an open transaction of the connection's sees it.

    Args:
        con: The warehouse.
        schema: The schema of the table.
        table: The table; it has to be there.

    Raises:
        SnapshotExpiredError: it has expired at once.
    """
    version = number(con, "from ducklake_current_snapshot($1)", DATABASE)
    found = con.execute(
        f"select snapshot_time::varchar from {CATALOG}.ducklake_snapshot where snapshot_id = $1",  # noqa: S608 - our own words
        [version],
    ).fetchone()
    if found is None:
        raise SnapshotExpiredError
    columns = column_types_in(con, schema, version).get(table, {})
    return TableSnapshot(con, schema, table, version, found[0], columns)
