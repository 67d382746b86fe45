"""Small Parquet files become few large ones, and rows that were deleted leave their files.

A rewrite is an insert and a delete of the same rows in one transaction, in plain SQL: readers see
the files before or after it, in an open transaction too. DuckLake's own merge takes the old files
out of the list at once, which a reader that is just beginning can mistake for missing rows
(docs/decisions/0016-upkeep.md).
"""

from dataclasses import dataclass
from typing import NamedTuple

import duckdb

from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.upkeep.snapshots import AUTHOR
from orchestration.warehouse.catalog import CATALOG, DATABASE, full_name, tables
from orchestration.warehouse.connection import connect
from orchestration.warehouse.file_statistics import BELOW_BYTES
from orchestration.warehouse.rewrite import hides_files, write_anew
from orchestration.warehouse.transaction import transaction

MB = 1_000_000


class Tier(NamedTuple):
    """So many files smaller than this are written together."""

    below_bytes: int
    files: int


TIERS = (Tier(BELOW_BYTES, 2), Tier(6 * MB, 6), Tier(32 * MB, 6))
"""A row is written about once per tier in its life, however many loads follow it."""

MOST_BYTES = 64 * MB
MOST_FILES = 1_000
"""What one transaction rewrites at most, so that a load never waits long for it."""

DELETED_SHARE = 0.25
"""A file with more of its rows deleted than this is rewritten, whatever its size."""


class Table(NamedTuple):
    """A table of the warehouse."""

    schema: str
    name: str


class File(NamedTuple):
    """A Parquet file that a table consists of."""

    path: str
    bytes: int
    deleted_share: float


@dataclass
class Rewritten:
    """What was done, over all tables."""

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    rewrites: int = 0
    longest_lock_seconds: float = 0.0


def rewrite_small_files(settings: Settings) -> Rewritten:
    """Rewrite, table by table, each time under a lock of its own.

    Raises:
        WriterBusyError: another writer did not finish in time; what was rewritten before stays.
        WarehouseMissingError: there is none yet.
        RowsDifferError: a rewrite would have changed rows; the table is as it was.
    """
    done = Rewritten()
    locks = ShortLocks(settings)
    with connect(settings, read_only=True) as con:
        found = {table: _files(con, table) for table in _tables(con)}
    for table, files in found.items():
        done.files_before += len(files)
        done.bytes_before += sum(file.bytes for file in files)
        after = files
        while choose(after):
            before = len(after)
            # between two locks another warehouse may have taken this one's place
            with locks.hold(), connect(settings) as con:
                # what is written together is one file, and loads keep a core
                con.execute("set threads = 1")
                after = rewrite_once(con, table)
            done.rewrites += 1
            if len(after) >= before:
                break  # they did not become fewer, so once more would not help
        done.files_after += len(after)
        done.bytes_after += sum(file.bytes for file in after)
    done.longest_lock_seconds = locks.longest_seconds
    return done


def rewrite_once(con: duckdb.DuckDBPyConnection, table: Table) -> list[File]:
    """Write the files of a table together that are worth it; the caller is the one writer.

    Returns:
        The files it consists of then; none if the table is gone.
    """
    if table not in _tables(con):
        return []
    chosen = choose(_files(con, table))
    # a user's table whose rows do not say which file they are in is left to the user
    if chosen and not hides_files(con, full_name(table.schema, table.name)):
        _rewrite(con, table, chosen)
    return _files(con, table)


def choose(files: list[File]) -> list[File]:
    """The files that are worth writing together now; none if all is well."""
    for file in files:
        if file.deleted_share > DELETED_SHARE and file.bytes >= TIERS[-1].below_bytes:
            return [file]
    for tier in TIERS:
        small = [file for file in files if file.bytes < tier.below_bytes]
        if len(small) >= tier.files or any(file.deleted_share > DELETED_SHARE for file in small):
            return _at_most(small)
    return []


def _at_most(files: list[File]) -> list[File]:
    chosen: list[File] = []
    size = 0
    for file in files[:MOST_FILES]:
        if len(chosen) > 1 and size + file.bytes > MOST_BYTES:
            break
        chosen.append(file)
        size += file.bytes
    return chosen


def _rewrite(con: duckdb.DuckDBPyConnection, table: Table, files: list[File]) -> None:
    with transaction(con):
        con.execute(
            "call ducklake_set_commit_message($1, $2, 'small files written together')",
            [DATABASE, AUTHOR],
        )
        write_anew(con, full_name(table.schema, table.name), [file.path for file in files])


def _tables(con: duckdb.DuckDBPyConnection) -> list[Table]:
    return [Table(*row) for row in sorted(tables(con))]


def _files(con: duckdb.DuckDBPyConnection, table: Table) -> list[File]:
    """The files of a table as it is now, the oldest first."""
    rows = con.execute(
        f"""
        select listed.data_file, listed.data_file_size_bytes,
            coalesce(deleted.delete_count / nullif(known.record_count, 0), 0)
        from ducklake_list_files($1, $2, schema => $3) as listed
        join {CATALOG}.ducklake_data_file as known
            on parse_filename(known.path) = parse_filename(listed.data_file)
        left join {CATALOG}.ducklake_delete_file as deleted
            on known.data_file_id = deleted.data_file_id and deleted.end_snapshot is null
        order by known.data_file_id
        """,  # noqa: S608 - a name of our own
        [DATABASE, table.name, table.schema],
    ).fetchall()
    return [File(*row) for row in rows]
