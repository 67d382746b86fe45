"""Parquet files of a table written anew, with the rows they have or without some of them.

An insert and a delete in plain SQL: readers see the files before or after it, in an open
transaction too (docs/decisions/0016-upkeep.md).
"""

from collections.abc import Iterable

import duckdb

from orchestration.warehouse.catalog import columns_of


class RowsDifferError(Exception):
    """A rewrite would have changed rows, and was taken back."""


def hides_files(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a column hides the name of the file that a row is in, which DuckLake adds.

    Args:
        con: The warehouse.
        table: Schema and name, quoted.
    """
    return "filename" in {name.lower() for name in columns_of(con, table)}


def write_anew(
    con: duckdb.DuckDBPyConnection, table: str, paths: Iterable[str] | None, gone: str = "false"
) -> None:
    """Write files of a table anew; in an open transaction.

    Args:
        con: The warehouse.
        table: Schema and name, quoted.
        paths: The files, with every row in them that goes; None for all that there are.
        gone: The condition on the rows that go; none do if not given.

    Raises:
        RowsDifferError: the rows that went and those that are kept are not those there were.
    """
    rows, going = _count(con, table, gone)
    if paths is None:
        con.execute(f"create or replace temp table kept as from {table} where not ({gone})")
        con.execute(f"delete from {table}")  # noqa: S608 - quoted
        con.execute(f"insert into {table} from kept")
        con.execute("drop table kept")
    else:
        # by the name of the file they are in, so that no other file is opened
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in sorted(paths))
        within = f"from {table} where filename in ({listed})"
        con.execute(f"insert into {table} select * {within} and not ({gone})")
        con.execute(f"delete {within}")
    kept = _count(con, table, gone)
    if kept != (rows - going, 0):
        raise RowsDifferError(
            f"{table}: of {rows} rows {going} were to go, but {kept[0]} were kept and {kept[1]} of "
            "those that were to go are still there. Nothing was changed."
        )


def _count(con: duckdb.DuckDBPyConnection, table: str, gone: str) -> tuple[int, int]:
    """The rows of a table, and those of them that are to go."""
    query = f"select count(*), count(*) filter ({gone}) from {table}"  # noqa: S608 - quoted
    ((rows, going),) = con.execute(query).fetchall()
    return rows, going
