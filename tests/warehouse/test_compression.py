"""How Parquet files are packed: zstd takes half of what DuckLake's own choice does."""

from pathlib import Path

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House


def packed(house: Settings, table: str) -> set[str]:
    """The codecs of the files of a table that is made now."""
    with writer_lock(house), connect(house) as con:
        con.execute(f"create table main.{table} as select range as a from range(100)")
        found = con.execute(f"select data_file from ducklake_list_files('seamline', '{table}')")
        codecs = "select distinct compression from parquet_metadata($1)"
        return {codec for (codec,) in con.execute(codecs, [found.fetchall()[0]]).fetchall()}


@pytest.fixture
def settings(own_house: House, prepared_house: Path) -> Settings:
    return own_house.move_in(prepared_house).settings


def test_a_new_warehouse_is_packed_with_zstd(settings: Settings) -> None:
    assert packed(settings, "first") == {"ZSTD"}


def test_what_a_user_has_said_holds(settings: Settings) -> None:
    with writer_lock(settings), connect(settings) as con:
        con.execute("call seamline.set_option('parquet_compression', 'snappy')")

    assert packed(settings, "second") == {"SNAPPY"}
