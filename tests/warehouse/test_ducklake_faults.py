"""Faults of DuckLake that code of ours works around: a test that fails says which code can go.

Each is tried on a lake of its own, without any of our code but the extensions.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.columns.names import VIRTUAL
from orchestration.warehouse import connection

Open = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[Open]:
    """Attach one and the same lake, under whatever name."""
    opened = []

    def attach(alias: str = "lake") -> duckdb.DuckDBPyConnection:
        con = duckdb.connect(config=connection.CONFIG)
        opened.append(con)
        connection.load_extensions(con)
        con.execute(
            f"attach 'ducklake:sqlite:{tmp_path}/catalog.sqlite' as \"{alias}\" "
            f"(data_path '{tmp_path}/data/', data_inlining_row_limit 0)"
        )
        con.execute(f'use "{alias}"')
        con.execute("set TimeZone = 'UTC'")
        return con

    yield attach
    for con in opened:
        con.close()


def test_a_view_that_names_its_lake_is_not_read_under_a_name_that_needs_quotes(
    open_lake: Open,
) -> None:
    """Mended: `create_view_as.sql` and `views_with_database` can go."""
    con = open_lake()
    con.execute("create table t as select 1 as n")
    con.execute("create view v as select * from lake.main.t")
    con.close()

    with pytest.raises(duckdb.ParserException, match="syntax error"):
        open_lake("my-lake").execute("select * from v")


def test_statistics_of_a_column_only_widen(open_lake: Open) -> None:
    """Mended: `_narrow_statistics` in `orchestration/erasure/purge.py` can go."""
    con = open_lake()
    con.execute("create table t as select 'a' as id")
    con.execute("insert into t values ('erased')")
    con.execute("delete from t where id = 'erased'")

    (largest,) = con.execute(
        "select max_value from __ducklake_metadata_lake.ducklake_table_column_stats"
    ).fetchall()
    assert largest == ("erased",)


def test_a_column_hides_the_word_by_which_ducklake_tells_a_rows_file(open_lake: Open) -> None:
    """Mended: `VIRTUAL` in `orchestration/columns/names.py` can go, and what is done by it."""
    con = open_lake()
    con.execute("create table t as select 1 as n")
    found = con.execute(f"select {', '.join(sorted(VIRTUAL))} from t").fetchall()
    assert len(found) == 1

    for name in sorted(VIRTUAL):
        con.execute(f"create table of_{name} as select 'sent' as {name}")
        assert con.execute(f"select {name} from of_{name}").fetchall() == [("sent",)]


def test_files_are_cleaned_up_by_a_time_that_is_compared_as_text(open_lake: Open) -> None:
    """Mended: `remove_unlisted_files` in `orchestration/upkeep/snapshots.py` can go.

    A file that was taken down today is said to be older than the beginning of the day.
    """
    con = open_lake()
    con.execute("create table t as select 1 as n")
    con.execute("delete from t")
    con.execute("call ducklake_expire_snapshots('lake', older_than => now())")

    ((day,),) = con.execute(
        "select left(schedule_start, 10) "
        "from __ducklake_metadata_lake.ducklake_files_scheduled_for_deletion"
    ).fetchall()
    assert con.execute(
        "select * from ducklake_cleanup_old_files("
        f"'lake', dry_run => true, older_than => timestamptz '{day} 00:00:00+00')"
    ).fetchall()
