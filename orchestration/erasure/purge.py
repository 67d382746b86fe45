"""After an erasure: nothing of what was deleted stays in snapshots, Parquet files or catalog.

Only the current snapshot stays. What a query that is running has still to read may go under it; it
fails then, and is asked again.
"""

import time

import duckdb

from orchestration.errors import ErasureStoppedError
from orchestration.settings import Settings
from orchestration.upkeep.orphans import OURS, listed_names
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.upkeep.snapshots import expire
from orchestration.warehouse.catalog import CATALOG, DATABASE, now
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import DataPlace, place_at
from orchestration.warehouse.file_statistics import COLUMNS, complete_statistics, thinned_files
from orchestration.warehouse.writer_lock import held_here

BUSY_SECONDS = 60
"""How long readers of the catalog are waited for."""

_AT_ONCE = 500
"""Small files that are written together while the lock is held once."""


class CatalogReadError(ErasureStoppedError):
    """Somebody reads the catalog and does not end; the text says what that means."""


def prepare(settings: Settings, locks: ShortLocks) -> None:
    """Do what `sweep` does first, table by table, so that it has little of it left to do.

    Small files are written together, as not all they hold is noted, and what is left of a column
    has to be known (orchestration/warehouse/file_statistics.py).

    Args:
        settings: Where the warehouse is.
        locks: The writer's.
    """
    with connect(settings, read_only=True) as con:
        found = thinned_files(con, _schemas(settings))
    for table, names in found.items():
        for start in range(0, len(names), _AT_ONCE):
            with locks.hold(), connect(settings) as con:
                complete_statistics(con, table, names[start : start + _AT_ONCE])


def _schemas(settings: Settings) -> tuple[str, str]:
    return "raw", settings.schema_name


def sweep(settings: Settings) -> list[str]:
    """Forget the past and remove what only it needs; the caller has the writer's lock.

    Safe to kill at any point, and to do twice.

    Returns:
        The catalogs that rebuilds had put aside, which had to go too.
    """
    # older catalogs have values, and the files they list go with the orphans
    aside = catalog_of(settings).remove_others()
    with connect(settings) as con:
        for table, names in thinned_files(con, _schemas(settings)).items():
            complete_statistics(con, table, names)
        old = con.execute(
            "select snapshot_id from ducklake_snapshots($1) "
            "where snapshot_id < (select max(snapshot_id) from ducklake_snapshots($1))",
            [DATABASE],
        ).fetchall()
        if old:
            expire(con, [snapshot for (snapshot,) in old])
        con.execute("call ducklake_cleanup_old_files($1, cleanup_all => true)", [DATABASE])
        _remove_orphans(con, place_at(settings.data_address))
        _narrow_statistics(con)
    return aside


def _remove_orphans(con: duckdb.DuckDBPyConnection, data: DataPlace) -> None:
    """Remove files of the lake that the catalog does not list, however young they are."""
    found = [(file, file.rpartition("/")[2]) for file in data.files()]
    listed = listed_names(con)
    if lock := held_here():
        lock.check()  # then none of these is what another writer has begun
    data.remove(file for file, name in found if OURS.fullmatch(name) and name not in listed)


def _narrow_statistics(con: duckdb.DuckDBPyConnection) -> None:
    """Let each column's smallest and largest value be of a row that is still there.

    DuckLake only ever widens them. Times stay as they are: no id is one. So do columns of which a
    file with rows says nothing, as those of a narrower one would hide its rows.
    """
    con.execute(
        f"""
        update {CATALOG}.ducklake_table_column_stats as stats
        set min_value = narrowed.lowest, max_value = narrowed.highest
        from (
            select
                table_id, column_id,
                case kind
                    when 'text' then min(min_value)
                    when 'double' then min(try_cast(min_value as double))::varchar
                    else min(try_cast(min_value as hugeint))::varchar
                end as lowest,
                case kind
                    when 'text' then max(max_value)
                    when 'double' then max(try_cast(max_value as double))::varchar
                    else max(try_cast(max_value as hugeint))::varchar
                end as highest
            from (
                select table_id, column_id, case
                    when column_type in ('varchar', 'json', 'uuid') then 'text'
                    when column_type in ('float32', 'float64') then 'double'
                    when regexp_full_match(
                        column_type, 'int128|u?int\\d\\d?|decimal\\(\\d+,\\s*0\\)'
                    ) then 'whole'
                end as kind
                from {CATALOG}.ducklake_column
                where end_snapshot is null and kind is not null
            )
            join ({COLUMNS}) using (table_id, column_id)
            left join {now("data_file")} as files using (table_id)
            left join {CATALOG}.ducklake_file_column_stats as of_file
                using (data_file_id, table_id, column_id)
            group by table_id, column_id, kind
            -- a file that has values and does not say which: its own may be the smallest
            having not coalesce(
                bool_or(min_value is null and value_count > coalesce(null_count, 0)), false
            )
            and not coalesce(bool_or(
                files.data_file_id is not null and of_file.data_file_id is null
                and files.begin_snapshot >= begun
            ), false)
        ) as narrowed
        where stats.table_id = narrowed.table_id and stats.column_id = narrowed.column_id
        """
    )


def empty_catalog(settings: Settings) -> bool:
    """Leave nothing in the catalog of what was deleted.

    Returns:
        False if somebody reads it; then it is as it was.
    """
    return catalog_of(settings).empty()


def empty_catalog_soon(settings: Settings, locks: ShortLocks) -> None:
    """Do so as soon as nobody reads it; others write in between.

    Raises:
        CatalogReadError: what was deleted is still in the catalog, as somebody reads it.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while time.monotonic() < deadline:
        with locks.hold():
            if empty_catalog(settings):
                return
    raise CatalogReadError(
        f"A query has been reading {settings.place} for {BUSY_SECONDS} s, and what was erased "
        "may still stand in there. Everything else is done; end the query, and ask for the "
        "erasure once more, or leave it to the next hourly one."
    )
