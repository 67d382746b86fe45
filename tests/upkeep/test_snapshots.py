"""How far back the tables can be queried, how finely, and what is removed beyond that."""

from datetime import timedelta

import duckdb
import pytest

from orchestration.settings import Settings
from orchestration.upkeep.parquet_files import rewrite_small_files
from orchestration.upkeep.snapshots import (
    between_steps,
    beyond,
    expire,
    expire_snapshots,
    remove_unlisted_files,
)
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.small_files import (
    all_hashes,
    files,
    hashes,
    listed_and_missing,
    load_events,
    past,
    snapshots,
    soon,
)

NOW = timedelta(0)
EVER = timedelta(seconds=1e-6)


def test_every_snapshot_stays_for_as_long_as_a_query_may_take(small_lake: Settings) -> None:
    before, on_disk = past(small_lake), files(small_lake)

    expire_snapshots(small_lake)

    assert past(small_lake) == before
    assert files(small_lake) == on_disk


@pytest.mark.long
def test_later_one_of_each_step_stays_and_it_is_the_one_with_few_files(
    small_lake: Settings,
) -> None:
    rewrite_small_files(small_lake)
    kept = snapshots(small_lake)[-1]
    load_events(small_lake, 1_000)
    current = snapshots(small_lake)[-1]
    before = past(small_lake)

    expire_snapshots(soon(small_lake), timedelta(days=10_000))

    assert snapshots(small_lake) == [kept, current]
    after = past(small_lake)
    assert after == {kept: before[kept], current: before[current]}


def test_files_that_no_snapshot_lists_are_removed(small_lake: Settings) -> None:
    before = all_hashes(small_lake)
    on_disk = files(small_lake)
    rewrite_small_files(small_lake)

    expire_snapshots(soon(small_lake), timedelta(days=10_000))
    expire_snapshots(soon(small_lake), timedelta(days=10_000))

    assert len(files(small_lake)) < len(on_disk) / 2
    assert listed_and_missing(small_lake) == []
    assert all_hashes(small_lake) == before


def test_files_stay_for_as_long_as_a_query_may_be_reading_them(small_lake: Settings) -> None:
    on_disk = files(small_lake)
    with writer_lock(small_lake), connect(small_lake) as con:
        expire(con, beyond(con, NOW))
        removed = remove_unlisted_files(con, timedelta(hours=1))

    assert removed == 0
    assert files(small_lake) == on_disk


def test_a_point_in_time_within_the_retention_has_an_answer(small_lake: Settings) -> None:
    """Although the snapshot that it is answered from is older than the retention."""
    with writer_lock(small_lake), connect(small_lake) as con:
        ((last,),) = con.execute(
            "select max(snapshot_time) from ducklake_snapshots('seamline')"
        ).fetchall()
        before = hashes(con, f"at (timestamp => '{last}')")
        age = "now() - interval 1 microsecond"
        con.execute("insert into raw.track by name select * from raw.track limit 1")
        expire(con, beyond(con, EVER))

        assert hashes(con, f"at (timestamp => {age})")
        assert len(before) == len(hashes(con))


def test_with_no_age_only_the_current_snapshot_and_its_files_stay(small_lake: Settings) -> None:
    """What an erasure needs: nothing of the past can be queried, or found on disk."""
    before = all_hashes(small_lake)
    rewrite_small_files(small_lake)
    current = snapshots(small_lake)[-1]
    with writer_lock(small_lake), connect(small_lake) as con:
        expire(con, beyond(con, NOW))
        remove_unlisted_files(con, NOW)

        with pytest.raises(duckdb.InvalidInputException, match="No snapshot found"):
            con.execute("from raw.track at (timestamp => now() - interval 1 hour)")
        rows = con.execute(
            "select parse_filename(path) from __ducklake_metadata_seamline.ducklake_data_file"
        ).fetchall()

    assert snapshots(small_lake) == [current]
    assert {path.name for path in files(small_lake)} == {name for (name,) in rows}
    assert all_hashes(small_lake) == before


def test_of_a_step_without_upkeep_the_last_snapshot_stays(small_lake: Settings) -> None:
    with writer_lock(small_lake), connect(small_lake) as con:
        gone = between_steps(con, timedelta(microseconds=1), timedelta(days=10_000))

    assert sorted(gone) == snapshots(small_lake)[:-1]
