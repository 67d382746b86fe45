"""The warehouse's snapshots: how far back they reach, how finely, and their files.

A point in time is answered from the newest snapshot at or before it, so that snapshot stays even
where it is older than what is kept.
"""

from dataclasses import dataclass
from datetime import timedelta

import duckdb

from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.warehouse.catalog import CATALOG, DATABASE, data_address, number
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import place_at

AUTHOR = "upkeep"
"""Who the snapshots are by in which small files were written together."""

STEP = timedelta(hours=1)
"""How finely snapshots are kept, beyond the time that a query may take."""

AT_ONCE = 2_000
"""Snapshots that are expired under one lock."""


@dataclass
class Expired:
    """What was done."""

    snapshots_before: int = 0
    snapshots_after: int = 0
    files_removed: int = 0
    longest_lock_seconds: float = 0.0


def expire_snapshots(settings: Settings, step: timedelta = STEP) -> Expired:
    """Keep every snapshot for as long as a query may take, then one a step, then none.

    Files that no snapshot lists any more are removed once no query can be reading them.

    Raises:
        WriterBusyError: another writer did not finish in time; what was done before stays.
        WarehouseMissingError: there is none yet.
    """
    done = Expired()
    locks = ShortLocks(settings)
    query_time = timedelta(hours=settings.query_hours)
    with connect(settings, read_only=True) as con:
        done.snapshots_before = count(con)
    is_done = False
    while not is_done:
        # Asked under each lock: by the next another warehouse may stand in place of this one, whose
        # snapshots have the same numbers.
        with locks.hold(), connect(settings) as con:
            wanted = set(beyond(con, timedelta(days=settings.snapshot_days)))
            wanted |= set(between_steps(con, query_time, step))
            is_done = len(wanted) <= AT_ONCE
            if wanted:
                expire(con, sorted(wanted)[:AT_ONCE])
            if is_done:
                done.files_removed = remove_unlisted_files(con, query_time)
                done.snapshots_after = count(con)
    done.longest_lock_seconds = locks.longest_seconds
    return done


def beyond(con: duckdb.DuckDBPyConnection, age: timedelta) -> list[int]:
    """The snapshots that no point in time younger than `age` needs; with an age of 0 all but one.

    Returns:
        Their ids.
    """
    return _ids(
        con,
        f"""
        select snapshot_id from ducklake_snapshots('{DATABASE}')
        where snapshot_id < (
            select max(snapshot_id) from ducklake_snapshots('{DATABASE}')
            where snapshot_time <= now() - $1::interval
        )
        """,  # noqa: S608 - a name of our own
        [age],
    )


def between_steps(con: duckdb.DuckDBPyConnection, age: timedelta, step: timedelta) -> list[int]:
    """The snapshots older than `age`, except one per step, which is the last that upkeep made.

    In that one the small files of the step are written together. Where there is none it is the
    last.

    Returns:
        Their ids.
    """
    return _ids(
        con,
        f"""
        select snapshot_id
        from ducklake_snapshots('{DATABASE}')
        where snapshot_time < now() - $1::interval
        qualify row_number() over (
            partition by floor(epoch(snapshot_time) / $2)
            order by author is not distinct from '{AUTHOR}' desc, snapshot_id desc
        ) > 1
        """,  # noqa: S608 - names of our own
        [age, step.total_seconds()],
    )


def expire(con: duckdb.DuckDBPyConnection, snapshots: list[int]) -> None:
    """Forget snapshots. The current one always stays.

    Files that only they list are taken down for removal; `remove_unlisted_files` removes them.
    """
    con.execute("call ducklake_expire_snapshots($1, versions => $2)", [DATABASE, snapshots])


def remove_unlisted_files(con: duckdb.DuckDBPyConnection, age: timedelta) -> int:
    """Remove the files that no snapshot has listed for as long as `age`; with 0 all of them.

    DuckLake's own way compares times as text where the catalog is a SQLite file, and takes all
    that was taken down today. Here a file goes before its line in the catalog, so that what is
    killed halfway is finished the next time. The caller is the one writer.

    Returns:
        How many.
    """
    catalog = f"{CATALOG}.ducklake_files_scheduled_for_deletion"
    rows = con.execute(
        f"""
        select file.path, known.path
        from ducklake_cleanup_old_files('{DATABASE}', dry_run => true, cleanup_all => true) as file
        join {catalog} as known on parse_filename(known.path) = parse_filename(file.path)
        where known.schedule_start::timestamptz <= now() - $1::interval
        """,  # noqa: S608 - names of our own
        [age],
    ).fetchall()
    place_at(data_address(con)).remove(path for path, _ in rows)
    con.execute(
        f"delete from {catalog} where path in (select unnest($1::varchar[]))",  # noqa: S608
        [[known for _, known in rows]],
    )
    return len(rows)


def count(con: duckdb.DuckDBPyConnection) -> int:
    """How many snapshots there are."""
    return number(con, "select count(*) from ducklake_snapshots($1)", DATABASE)


def _ids(con: duckdb.DuckDBPyConnection, query: str, parameters: list[object]) -> list[int]:
    return [snapshot for (snapshot,) in con.execute(query, parameters).fetchall()]
