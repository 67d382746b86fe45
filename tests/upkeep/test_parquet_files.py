"""Small files become few, and no row changes, nor any row of the past."""

import itertools
import threading
import time
from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from orchestration.settings import Settings
from orchestration.upkeep import parquet_files, short_locks
from orchestration.upkeep.parquet_files import MB, File, choose, rewrite_small_files
from orchestration.warehouse.catalog import full_name
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House
from tests.support.small_files import (
    LOADS,
    all_hashes,
    files,
    load_events,
    past,
    snapshots,
    table_files,
)

PAUSE_SECONDS = short_locks.PAUSE_SECONDS
"""As it is outside of these tests, which do without."""


def _files(*sizes: int) -> list[File]:
    return [File(f"{number}.parquet", size, 0) for number, size in enumerate(sizes)]


@pytest.mark.long
def test_the_files_of_many_loads_become_one_and_rows_stay(small_lake: Settings) -> None:
    before = all_hashes(small_lake)
    assert len(table_files(small_lake, "raw", "track")) == LOADS

    done = rewrite_small_files(small_lake)

    assert [
        len(table_files(small_lake, "raw", table)) for table in ("track", "page", "landed_file")
    ] == [
        1,
        1,
        1,
    ]
    assert all_hashes(small_lake) == before
    assert done.files_after < done.files_before


@pytest.fixture(scope="module")
def rewritten_lake(loaded: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A copy of the house of small loads, whose files have been written together."""
    house = loaded.copy(tmp_path_factory.mktemp("rewritten") / "house")
    assert rewrite_small_files(house.settings).rewrites
    return house


def test_a_second_time_there_is_nothing_to_do(rewritten_lake: House) -> None:
    before = snapshots(rewritten_lake.settings)

    assert rewrite_small_files(rewritten_lake.settings).rewrites == 0
    assert snapshots(rewritten_lake.settings) == before


@pytest.mark.long
def test_every_snapshot_of_the_past_has_the_same_rows(small_lake: Settings) -> None:
    before = past(small_lake)

    rewrite_small_files(small_lake)
    load_events(small_lake, 1_000)
    rewrite_small_files(small_lake)

    after = past(small_lake)
    assert {snapshot: after[snapshot] for snapshot in before} == before


@pytest.mark.long
def test_files_from_before_a_new_column_are_written_together_with_later_ones(
    small_lake: Settings,
) -> None:
    """DuckLake's own merge leaves a file per set of columns that the table has had."""
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute("alter table raw.track add column added varchar")
    load_events_with_column(small_lake)

    rewrite_small_files(small_lake)

    assert len(table_files(small_lake, "raw", "track")) == 1


def load_events_with_column(small_lake: Settings) -> None:
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute(
            "insert into raw.track by name select * replace ('new' as added) from raw.track limit 3"
        )


@pytest.mark.long
def test_a_table_of_a_users_may_have_any_name(small_lake: Settings) -> None:
    schema, name = 'my "own"', 'notes "2026".a'
    table = full_name(schema, name)
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute(f"create schema {full_name(schema)}")
        con.execute(f"create table {table} as select 'x' as note from range(1000)")
        for _ in range(LOADS):
            con.execute(f"insert into {table} select 'y' from range(1000)")

    rewrite_small_files(small_lake)

    with connect(small_lake, read_only=True) as con:
        listed = "select count(*) from ducklake_list_files('seamline', $1, schema => $2)"
        assert con.execute(listed, [name, schema]).fetchall() == [(1,)]
        assert con.execute(f"select count(*) from {table}").fetchall() == [(1_000 * (LOADS + 1),)]


def test_tables_of_a_users_that_hide_their_files_stay_as_they_are_and_stop_no_other(
    small_lake: Settings,
) -> None:
    hiding = ("filename varchar", '"FileName" uuid', "filename bigint")
    names = [f"aaa.notes_{number}" for number in range(len(hiding))]
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute("create schema aaa")
        for name, column in zip(names, hiding, strict=True):
            con.execute(f"create table {name} ({column}, n integer)")
            for number in range(2):
                con.execute(f"insert into {name} (n) select $1 from range(10)", [number])

    rewritten = rewrite_small_files(small_lake)

    assert rewritten.rewrites > 0
    assert len(table_files(small_lake, "raw", "track")) == 1
    with connect(small_lake, read_only=True) as con:
        for name in names:
            count = con.execute(f"select count(*), count(distinct n) from {name}").fetchone()
            assert count == (20, 2)


def test_deleted_rows_leave_their_files(rewritten_lake: House, own_house: House) -> None:
    small_lake = rewritten_lake.copy(own_house.folder).settings
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute("delete from raw.track where line > 2")
    before = all_hashes(small_lake)

    rewrite_small_files(small_lake)

    with connect(small_lake, read_only=True) as con:
        (row,) = con.execute(
            "select delete_file from ducklake_list_files('seamline', 'track', schema => 'raw')"
        ).fetchall()
    assert row == (None,)
    assert all_hashes(small_lake) == before


def test_a_transaction_that_was_open_before_sees_its_rows_until_it_ends(
    small_lake: Settings,
) -> None:
    """Also of a table that it had not looked at yet, where DuckLake's own merge loses rows."""
    query = "select count(*), sum(line), min(file), max(file) from raw.track"
    with connect(small_lake, read_only=True) as con:
        before = con.execute(query).fetchall()
    with connect(small_lake, read_only=True) as reader:
        reader.execute("begin")
        reader.execute("from raw.page").fetchall()
        load_events(small_lake, 1_000)
        rewrite_small_files(small_lake)

        assert reader.execute(query).fetchall() == before


@pytest.mark.long
def test_a_load_that_waits_goes_between_two_tables(
    small_lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins in the first rewrite; the pause after that is as long as the load takes."""
    order: list[str] = []
    rewrite_once = parquet_files.rewrite_once

    def rewrite(*arguments: Any) -> list[File]:
        if not order:
            loading.start()
        order.append("rewrite")
        return rewrite_once(*arguments)

    def load_some() -> None:
        load_events(small_lake, 1_000)
        order.append("load")

    loading = threading.Thread(target=load_some)
    pause = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: loading.join(60))
    monkeypatch.setattr(short_locks, "time", pause)
    monkeypatch.setattr(parquet_files, "rewrite_once", rewrite)

    rewrite_small_files(small_lake)

    assert order[:3] == ["rewrite", "load", "rewrite"]


def test_a_pause_is_long_enough_for_whoever_waits_to_look() -> None:
    assert 2 * signature(FileLock).parameters["poll_interval"].default < PAUSE_SECONDS


def test_nothing_is_left_on_disk_that_is_not_listed(rewritten_lake: House) -> None:
    rows = rewritten_lake.rows(
        "select parse_filename(path) from __ducklake_metadata_seamline.ducklake_data_file"
    )

    assert {path.name for path in files(rewritten_lake.settings)} == {name for (name,) in rows}


def test_two_small_files_are_written_together_and_one_is_left_alone() -> None:
    assert choose(_files(1000, 2000)) == _files(1000, 2000)
    assert choose(_files(1000)) == []


def test_larger_files_wait_until_there_are_some() -> None:
    assert choose(_files(*[2 * MB] * 5)) == []
    assert len(choose(_files(*[2 * MB] * 6))) == 6
    assert choose(_files(*[40 * MB] * 50)) == []


def test_one_transaction_stays_small() -> None:
    chosen = choose(_files(*[20 * MB] * 30))

    assert sum(file.bytes for file in chosen) <= 64 * MB
    assert len(choose(_files(*[10] * 5000))) == 1000


def test_a_large_file_is_rewritten_when_a_quarter_of_it_is_deleted() -> None:
    assert choose([File("a.parquet", 50 * MB, 0.2)]) == []
    assert choose([File("a.parquet", 50 * MB, 0.3)]) == [File("a.parquet", 50 * MB, 0.3)]


def test_a_row_is_written_about_once_per_tier_however_many_loads_follow() -> None:
    """Ten thousand loads of 60 kB: as bytes, with no warehouse."""
    sizes: list[int] = []
    written = 0
    for load_number in itertools.count(1):
        sizes.append(60_000)
        if load_number % 300 == 0:
            while chosen := choose(_files(*sizes)):
                taken = {int(file.path.removesuffix(".parquet")) for file in chosen}
                total = sum(file.bytes for file in chosen)
                sizes = [size for place, size in enumerate(sizes) if place not in taken]
                sizes.append(total)
                written += total
        if load_number == 10_000:
            break

    assert written < 3.5 * 60_000 * 10_000
    assert len(sizes) < 120
