"""Of small files DuckLake's statistics are kept for few columns, and every answer stays."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.erasure import purge
from orchestration.warehouse import file_statistics
from orchestration.warehouse.catalog import CATALOG, DATABASE, now
from orchestration.warehouse.connection import connect
from orchestration.warehouse.file_statistics import (
    KEPT,
    complete_statistics,
    thin_statistics,
    thinned_files,
)
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

SCHEMA = "shop"
FILES = 4
COLUMNS = ("message_id", "price", "currency", "_seamline_load_id")


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory, raw_house: Path) -> House:
    """A table of several files, of which one filter leaves one, another each, a third none."""
    house = House(tmp_path_factory.mktemp("sales")).move_in(raw_house)
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute(f"create schema {SCHEMA}; create schema other")
        for schema in (SCHEMA, "other"):
            con.execute(
                f"create table {schema}.sales"
                "(message_id varchar, price bigint, currency varchar, _seamline_load_id bigint)"
            )
            for number in range(FILES):
                con.execute(
                    f"insert into {schema}.sales select 'm' || range, range, "
                    f"if(range % 2 = 0, 'EUR', null), {number} "
                    f"from range({number * 10}, {number * 10 + 10})"
                )
    return house


@pytest.fixture
def con(sales: House, own_house: House) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of it, for the test to write to."""
    settings = own_house.move_in(sales.folder).settings
    with writer_lock(settings), connect(settings) as con:
        yield con


@pytest.fixture(scope="module")
def thinned(
    sales: House, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of it with few statistics left, to be asked."""
    settings = House(tmp_path_factory.mktemp("thinned")).move_in(sales.folder).settings
    with writer_lock(settings), connect(settings) as con:
        assert thin_statistics(con, [SCHEMA])
    with connect(settings, read_only=True) as con:
        yield con


def noted(con: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    """Column → of how many files its statistics are kept."""
    rows = con.execute(
        f"select column_name, count(*) from {CATALOG}.ducklake_file_column_stats "
        f"join {now('data_file')} using (data_file_id, table_id) "
        f"join {now('column')} using (table_id, column_id) "
        f"join {now('table')} using (table_id) "
        f"join {now('schema')} using (schema_id) where schema_name = $1 group by 1",
        [schema],
    ).fetchall()
    return dict(rows)


def complete(con: duckdb.DuckDBPyConnection, schema: str) -> None:
    for table, names in thinned_files(con, [schema]).items():
        complete_statistics(con, table, names)


def test_of_small_files_those_are_kept_by_which_files_are_chosen(
    con: duckdb.DuckDBPyConnection,
) -> None:
    before = noted(con, "other")
    assert before == dict.fromkeys(COLUMNS, FILES)
    assert {"message_id", "_seamline_load_id"} <= set(KEPT)

    assert thin_statistics(con, [SCHEMA]) == 2 * FILES

    assert noted(con, SCHEMA) == {"message_id": FILES, "_seamline_load_id": FILES}
    assert noted(con, "other") == before
    assert thin_statistics(con, [SCHEMA]) == 0


def test_those_of_large_files_stay(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_statistics, "BELOW_BYTES", 1)

    assert thin_statistics(con, [SCHEMA]) == 0


@pytest.mark.parametrize(
    "asked",
    [
        "price = 17",
        "price > 33",
        "price between 8 and 11",
        "price in (1, 39)",
        "price <> 3",
        "price < 0",
        "currency is null",
        "currency is not null",
        "currency = 'EUR' and message_id > 'm3'",
        "price = (select max(price) from {table})",
        "price in (select min(price) from {table} group by currency)",
    ],
)
def test_every_question_has_its_answer(thinned: duckdb.DuckDBPyConnection, asked: str) -> None:
    answers = [
        thinned.execute(
            f"select * from {table} where {asked.format(table=table)} order by all"
        ).fetchall()
        for table in (f"{SCHEMA}.sales", "other.sales")
    ]

    assert answers[0] == answers[1]


def test_what_is_written_afterwards_goes_by_them_too(con: duckdb.DuckDBPyConnection) -> None:
    thin_statistics(con, [SCHEMA])

    for schema in (SCHEMA, "other"):
        con.execute(f"delete from {schema}.sales where price in (5, 25)")
        con.execute(f"update {schema}.sales set currency = 'USD' where price > 30")
        con.execute(f"alter table {schema}.sales alter price type double")
        con.execute(f"alter table {schema}.sales rename currency to paid_in")
    now = "select count(*), min(price), max(price), max(paid_in) from {}.sales"
    then = f"select sum(price) from {{}}.sales at (version => {_version(con) - 8})"

    for query, answer in ((now, (38, 0.0, 39.0, "USD")), (then, (sum(range(40)),))):
        for schema in (SCHEMA, "other"):
            assert con.execute(query.format(schema)).fetchall() == [answer]


def test_once_they_are_completed_each_file_has_all(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(f"alter table {SCHEMA}.sales add column paid boolean")
    con.execute(f"alter table {SCHEMA}.sales alter price type double")
    thin_statistics(con, [SCHEMA])
    rows = con.execute(f"from {SCHEMA}.sales order by all").fetchall()

    complete(con, SCHEMA)

    assert noted(con, SCHEMA) == dict.fromkeys((*COLUMNS, "paid"), 1)
    assert con.execute(f"from {SCHEMA}.sales order by all").fetchall() == rows
    before = _version(con)
    complete(con, SCHEMA)
    assert _version(con) == before


def test_files_that_upkeep_has_written_meanwhile_are_left_out(
    con: duckdb.DuckDBPyConnection,
) -> None:
    thin_statistics(con, [SCHEMA])
    ((table, names),) = thinned_files(con, [SCHEMA]).items()
    complete_statistics(con, table, names)
    before = _version(con)

    complete_statistics(con, table, names)
    complete_statistics(con, (SCHEMA, "gone"), names)

    assert _version(con) == before


@pytest.mark.parametrize("is_completed", [True, False])
def test_an_erasure_that_narrows_a_column_hides_no_row(
    own_house: House, raw_house: Path, *, is_completed: bool
) -> None:
    """DuckDB does without a table where what is asked is outside of its least and greatest."""
    settings = own_house.move_in(raw_house).settings
    table = f"{settings.schema_name}.sales"
    with writer_lock(settings), connect(settings) as con:
        con.execute(f"create schema {settings.schema_name}")
        con.execute(f"create table {table} (name varchar, price bigint)")
        con.execute(f"insert into {table} select 'a' || range, range from range(1000)")
        con.execute(
            "update __ducklake_metadata_seamline.ducklake_data_file set file_size_bytes = 2000000"
        )
        con.execute(f"insert into {table} values ('zebra', 5000), ('zoe', 6000)")
        thin_statistics(con, [settings.schema_name])
        con.execute(f"delete from {table} where name = 'zoe'")
        if is_completed:
            complete(con, settings.schema_name)
        purge._narrow_statistics(con)  # noqa: SLF001 - what an erasure ends with

    with connect(settings, read_only=True) as con:
        for asked in ("name = 'zebra'", "price > 2000", "price = (select max(price) from {})"):
            found = con.execute(f"select name from {table} where {asked.format(table)}")
            assert found.fetchall() == [("zebra",)]
        greatest = con.execute(
            f"select max_value from {CATALOG}.ducklake_table_column_stats "
            f"join {CATALOG}.ducklake_table using (table_id) where table_name = 'sales'"
        ).fetchall()
    assert (("zoe",) in greatest) is not is_completed


def test_raw_tables_are_whole_again_with_whatever_they_hold(
    own_house: House, raw_house: Path
) -> None:
    house = own_house.move_in(raw_house)
    for one in ("a", "b"):
        house.land("track", landed.line({"messageId": one}))
        house.land("rejected", landed.rejected_line(b"{"))
        house.load()
    settings = house.settings
    with writer_lock(settings), connect(settings) as con:
        assert thinned_files(con, ["raw"]) == {}
        thin_statistics(con, ["raw"])
        assert {name for _, name in thinned_files(con, ["raw"])} == {
            *("track", "rejected", "field", "landed_file", "landed_count")
        }
        complete(con, "raw")
        assert thinned_files(con, ["raw"]) == {}


def _version(con: duckdb.DuckDBPyConnection) -> int:
    ((version,),) = con.execute(
        "select max(snapshot_id) from ducklake_snapshots($1)", [DATABASE]
    ).fetchall()
    return int(version)
