"""Files that no snapshot ever listed: what a writer that was killed had begun to write."""

import logging
import re
import time
from datetime import timedelta

import duckdb

from landed.errors import ReportedError
from orchestration.loading.load import is_behind
from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.warehouse.catalog import CATALOG, DATABASE, data_address
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.raw_tables import create_raw_tables

log = logging.getLogger(__name__)

AGE = timedelta(days=1)
"""Under the writer's lock nobody is writing, so any age would do; this leaves time to notice."""

OURS = re.compile(
    r"(tmp_)?ducklake-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-delete)?(_\d+)?\.parquet"
)
"""What DuckLake calls its files. It asks for every Parquet file in the folder; no other is ours."""


class ListedFileError(ReportedError):
    """A file was taken for an orphan that the catalog lists. Nothing was removed."""


def remove_orphans(settings: Settings) -> tuple[int, int]:
    """Remove the orphans older than a day.

    Returns:
        How many files, and their bytes.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was removed.
        ListedFileError: DuckLake called a file an orphan that it lists; nothing was removed.
    """
    with ShortLocks(settings).hold(), connect(settings) as con:
        create_raw_tables(con)
        if not place_at(settings.data_address).ages_from_use and _was_restored_lately(con):
            return 0, 0  # what the warehouse before had may still be read
        if is_behind(con, settings.landing) or _has_missed_files(con):
            log.warning("No orphan is removed: it may be all that is left of a lost warehouse.")
            return 0, 0
        return remove(con, AGE)


def _has_missed_files(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse was made again without files that were nowhere any more."""
    return con.execute("select 1 from raw.restored where missing > 0").fetchone() is not None


def _was_restored_lately(con: duckdb.DuckDBPyConnection) -> bool:
    found = con.execute(
        "select 1 from raw.restored where restored_at > now()::timestamp - $1::interval", [AGE]
    )
    return found.fetchone() is not None


def remove(con: duckdb.DuckDBPyConnection, age: timedelta) -> tuple[int, int]:
    """Remove the orphans older than `age`; with 0 all of them. The caller is the one writer.

    Returns:
        How many files, and their bytes.
    """
    found = con.execute(
        "call ducklake_delete_orphaned_files($1, dry_run => true, cleanup_all => true)", [DATABASE]
    ).fetchall()
    data = place_at(data_address(con))
    then = time.time() - age.total_seconds()
    orphans = {}
    for (path,) in found:
        if OURS.fullmatch(_name(path)):
            state = data.state(path)  # none if it was removed by hand since DuckLake has seen it
            if state and state.changed_at <= then:
                orphans[path] = state.size
    # in 2026 it has taken listed files for orphans (duckdb/ducklake#815), so it is asked twice
    listed = listed_names(con)
    mistaken = [path for path in orphans if _name(path) in listed]
    if mistaken:
        raise ListedFileError(
            f"{len(mistaken)} files are called orphans and are listed all the same, "
            f"{mistaken[0]} for one. Nothing was removed."
        )
    data.remove(orphans)
    return len(orphans), sum(orphans.values())


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def listed_names(con: duckdb.DuckDBPyConnection) -> set[str]:
    """The names of all files that the catalog knows, those taken down for removal too."""
    tables = ("data_file", "delete_file", "files_scheduled_for_deletion")
    query = " union all ".join(
        f"select parse_filename(path) from {CATALOG}.ducklake_{table}"  # noqa: S608 - our own
        for table in tables
    )
    return {name for (name,) in con.execute(query).fetchall()}
