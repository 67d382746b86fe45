"""After an erasure: nothing of what was deleted stays in snapshots, Parquet files or catalog.

Only the current snapshot stays. What a query that is running has still to read may go under it; it
fails then, and is asked again.
"""

import logging
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from orchestration.errors import ErasureStoppedError
from orchestration.settings import Settings
from orchestration.warehouse.catalog import DATABASE
from orchestration.warehouse.connection import connect

log = logging.getLogger(__name__)

BUSY_SECONDS = 60
"""How long readers of the catalog are waited for."""

_LOOK_EVERY = 0.2

_OURS = re.compile(
    r"(tmp_)?ducklake-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-delete)?(_\d+)?\.parquet"
)
_INTEGER = re.compile(r"u?int\d+|decimal\(\d+,\s*0\)")
_TEXTS = {"varchar", "json", "uuid"}


class CatalogReadError(ErasureStoppedError):
    """Somebody reads the catalog and does not end; the text says what that means."""


def sweep(settings: Settings) -> list[str]:
    """Forget the past and remove what only it needs; the caller has the writer's lock.

    Safe to kill at any point, and to do twice.

    Returns:
        The catalogs that rebuilds had put aside, which had to go too.

    Raises:
        CatalogReadError: what was deleted is still in the catalog, as somebody reads it.
    """
    with connect(settings) as con:
        old = con.execute(
            "select snapshot_id from ducklake_snapshots($1) "
            "where snapshot_id < (select max(snapshot_id) from ducklake_snapshots($1))",
            [DATABASE],
        ).fetchall()
        if old:
            con.execute(
                "call ducklake_expire_snapshots($1, versions => $2)",
                [DATABASE, [snapshot for (snapshot,) in old]],
            )
        con.execute("call ducklake_cleanup_old_files($1, cleanup_all => true)", [DATABASE])
    # no connection of DuckDB's from here on: closing one of two would free the locks of both
    aside = _remove_catalogs_aside(settings)
    with closing(sqlite3.connect(settings.catalog, isolation_level=None)) as catalog:
        catalog.execute(f"pragma busy_timeout = {BUSY_SECONDS * 1000}")
        _remove_orphans(settings, catalog)
        _narrow_statistics(catalog)
        _empty(settings.catalog, catalog)
    return aside


def _remove_catalogs_aside(settings: Settings) -> list[str]:
    """Remove older catalogs: they have values, and the files they list go with the orphans."""
    folder = settings.catalog.parent
    shutil.rmtree(folder / "rebuilding", ignore_errors=True)
    aside = sorted(folder.glob(f"{settings.catalog.name}.before-*"))
    for path in aside:
        path.unlink(missing_ok=True)
    return [path.name for path in aside if not path.name.endswith(("-wal", "-shm"))]


def _remove_orphans(settings: Settings, catalog: sqlite3.Connection) -> None:
    """Remove files of the lake that the catalog does not list."""
    listed = {
        Path(path).name
        for table in ("data_file", "delete_file", "files_scheduled_for_deletion")
        for (path,) in catalog.execute(f"select path from ducklake_{table}")
    }
    for path in settings.data.rglob("*.parquet"):
        if _OURS.fullmatch(path.name) and path.name not in listed:
            path.unlink(missing_ok=True)


def _narrow_statistics(catalog: sqlite3.Connection) -> None:
    """Let each column's smallest and largest value be of a row that is still there.

    DuckLake only ever widens them. Times and fractions stay as they are: no id is one.
    """
    columns = catalog.execute(
        """
        select stats.table_id, stats.column_id, columns.column_type
        from ducklake_table_column_stats as stats
        join ducklake_column as columns
            on stats.table_id = columns.table_id and stats.column_id = columns.column_id
            and columns.end_snapshot is null
        """
    ).fetchall()
    catalog.execute("begin immediate")
    for table, column, kind in columns:
        order: Callable[[str], int | bytes]
        if kind in _TEXTS:
            order = str.encode
        elif _INTEGER.fullmatch(kind):
            order = int
        else:
            continue
        found = catalog.execute(
            """
            select stats.min_value, stats.max_value, value_count > coalesce(null_count, 0)
            from ducklake_file_column_stats as stats
            join ducklake_data_file as files using (data_file_id)
            where stats.table_id = ? and stats.column_id = ? and files.end_snapshot is null
            """,
            [table, column],
        ).fetchall()
        if any(low is None and has_values for low, _, has_values in found):
            continue
        lowest = [low for low, _, _ in found if low is not None]
        highest = [high for _, high, _ in found if high is not None]
        catalog.execute(
            "update ducklake_table_column_stats set min_value = ?, max_value = ? "
            "where table_id = ? and column_id = ?",
            [
                min(lowest, key=order, default=None),
                max(highest, key=order, default=None),
                table,
                column,
            ],
        )
    catalog.execute("commit")


def _empty(path: Path, catalog: sqlite3.Connection) -> None:
    """Rewrite the catalog's file without free pages, and empty its write-ahead log."""
    deadline = time.monotonic() + BUSY_SECONDS
    catalog.execute("pragma busy_timeout = 1000")
    is_rewritten = False
    while True:
        try:
            if not is_rewritten:
                catalog.execute("vacuum")
                is_rewritten = True
            ((is_busy, _, _),) = catalog.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            is_busy = True
        if not is_busy:
            return
        if time.monotonic() > deadline:
            raise CatalogReadError(
                f"A query has been reading {path} for {BUSY_SECONDS} s, and what was erased may "
                "still stand in that file. Everything else is done; end the query, and ask for "
                "the erasure once more, or leave it to the next hourly one."
            )
        time.sleep(_LOOK_EVERY)
