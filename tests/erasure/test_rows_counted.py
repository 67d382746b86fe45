"""Rows that were removed and rows that are kept are those there were, or nothing is erased."""

import duckdb
import pytest

from orchestration.erasure import raw_rows
from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.warehouse.connection import connect
from orchestration.warehouse.rewrite import RowsDifferError, write_anew
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.person import found_in_house, track

GONE = "gone-81d2"
ROWS = "select payload ->> '$.userId' from raw.track order by all"


@pytest.fixture
def filled(empty: House) -> House:
    """A house with two loads of three people."""
    for _ in range(2):
        lines = [landed.line(track(user)) for user in (GONE, "stays", "too")]
        landed.land(empty.landing, "track", *lines)
        load(empty.settings)
    return empty


def test_an_erasure_that_leaves_one_of_the_rows_is_taken_back(
    filled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, ledger = filled.rows(ROWS), filled.rows("from raw.landed_file order by all")

    def in_the_first_file(
        con: duckdb.DuckDBPyConnection, table: str, paths: list[str], gone: str
    ) -> None:
        write_anew(con, table, sorted(paths)[:1], gone)

    monkeypatch.setattr(raw_rows, "write_anew", in_the_first_file)
    with pytest.raises(RowsDifferError, match="Nothing was changed"):
        forget(filled.settings, {Id(USER, GONE)}, suppress=False)

    assert filled.rows(ROWS) == rows
    assert filled.rows("from raw.landed_file order by all") == ledger


@pytest.mark.long
@pytest.mark.parametrize("column", ["filename", "FileName"])
def test_a_column_that_hides_the_name_of_a_rows_file_does_not_keep_the_row_in_it(
    filled: House, column: str
) -> None:
    with writer_lock(filled.settings), connect(filled.settings) as con:
        con.execute(f'alter table raw.track add column "{column}" varchar')
        con.execute(f"update raw.track set \"{column}\" = 'x' where line <> 1 or load_id = 1")

    forget(filled.settings, {Id(USER, GONE)}, suppress=False)

    assert filled.rows(ROWS) == [("stays",), ("stays",), ("too",), ("too",)]
    assert found_in_house(filled, GONE) == []
