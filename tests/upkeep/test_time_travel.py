"""What docs/time-travel.md shows runs as it is written, and is true."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import duckdb
import pytest

from landed.settings import ROOT
from orchestration.upkeep.keep_small import keep_small
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.forked import run_models
from tests.support.house import House
from tests.support.small_files import load_events

PAGE = (ROOT / "docs" / "time-travel.md").read_text()
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
(PROGRAM,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

MODELS = ("stg_segment__track", "track", "tracks")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Fifteen tracks, written together, when the page was written; and five more today."""
    house = House(tmp_path_factory.mktemp("house"))
    with pytest.MonkeyPatch.context() as environment:
        house.put_into(environment)
        for number in range(3):
            load_events(house.settings, 5 * number)
        run_models(MODELS, {})
        keep_small(house.settings)
        with closing(sqlite3.connect(house.settings.catalog)) as catalog, catalog:
            catalog.execute(
                "update ducklake_snapshot set snapshot_time = printf("
                "'2026-11-23 17:%02d:%02d+00', snapshot_id / 60, snapshot_id % 60)"
            )
        load_events(house.settings, 100)
        run_models(MODELS, {})
        yield house


def test_the_page_has_queries_and_a_program() -> None:
    assert len(QUERIES) >= 5
    assert "writer_lock" in PROGRAM


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_of_the_page_runs_and_has_an_answer(house: House, query: str) -> None:
    assert house.rows(query)


def test_yesterdays_table_has_yesterdays_rows(house: House) -> None:
    yesterday = "segment.track at (timestamp => now() - interval 6 hour)"

    assert house.rows("select count(*) from segment.track") == [(20,)]
    assert house.rows(f"select count(*), max(event) from {yesterday}") == [(15, "e2")]


def test_a_view_can_be_asked_too(house: House) -> None:
    query = (
        "select count(*) from segment_warehouse.tracks at (timestamp => now() - interval 6 hour)"
    )

    assert house.rows(query) == [(15,)]


def test_a_time_before_the_oldest_state_is_refused(house: House) -> None:
    with pytest.raises(duckdb.InvalidInputException, match="No snapshot found at timestamp"):
        house.rows("from segment.track at (timestamp => timestamptz '2020-01-01 00:00:00+00')")


def test_rows_that_were_deleted_come_back(house: House) -> None:
    before = house.rows("from segment.track order by message_id")
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute("delete from segment.track where message_id in ('track-1', 'track-2')")
    assert house.rows("select count(*) from segment.track") == [(18,)]

    exec(compile(PROGRAM, "docs/time-travel.md", "exec"), {})  # noqa: S102 - our own page

    assert house.rows("from segment.track order by message_id") == before


def test_the_models_go_on_after_upkeep(house: House) -> None:
    keep_small(house.settings)
    load_events(house.settings, 200)
    run_models(MODELS, {})

    rows = "select count(*), count(distinct message_id) from segment.track"
    assert house.rows(rows) == [(25, 25)]
