"""What each load has brought, as Stitch's post-load webhook says it."""

from collections.abc import Iterator
from datetime import datetime

import duckdb
import pytest

from orchestration.notifications import loads
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock

AT = datetime(2026, 11, 22, 5, 24, 46, 123456)  # noqa: DTZ001 - the warehouse's have no zone


@pytest.fixture
def con(made_warehouse: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with three loads of `track` in four files; the table shows the first two."""
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        for load_id, rows, rejected in ((1, 3, 0), (1, 4, 1), (2, 5, 0), (3, 6, 0)):
            con.execute(
                "insert into raw.landed_file by name select 'f' as file, 'track' as call, "
                "$1 as load_id, $2 as rows, $3 as rejected, $4 as loaded_at",
                [load_id, rows, rejected, AT],
            )
        for call in ("track", "delete"):
            con.execute(
                "insert into raw.completeness by name select $1 as call, 2 as counted_load_id",
                [call],
            )
        yield con


def test_a_load_is_told_once_its_table_shows_it(
    con: duckdb.DuckDBPyConnection, made_warehouse: Settings
) -> None:
    told = list(loads.brought(con, made_warehouse, {}))

    assert [(one.call, one.load_id) for one in told] == [("track", 1), ("track", 2)]
    (table,) = told[0].body["tables"]
    assert (table["num_rows"], table["num_rows_rejected"]) == (7, 1)
    assert table["primary_keys"] == ["message_id"]
    assert told[0].body["destination_root_table_name"] == "segment.track"
    assert told[0].body["minimum_sdc_batched_at"] == "2026-11-22T05:24:46.123Z"


def test_what_was_told_is_not_told_again(
    con: duckdb.DuckDBPyConnection, made_warehouse: Settings
) -> None:
    assert [one.load_id for one in loads.brought(con, made_warehouse, {"track": 1})] == [2]
    assert list(loads.brought(con, made_warehouse, loads.newest(con))) == []


def test_what_has_no_table_is_not_told_of(con: duckdb.DuckDBPyConnection) -> None:
    assert loads.newest(con) == {"track": 2}
