"""What a user keeps in the lake is in no file: nothing of it goes without a word."""

import logging
import os
from pathlib import Path

import dagster as dg
import pytest

from orchestration.errors import RebuildRefusedError
from orchestration.loading.load import load
from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from orchestration.ownership import users_relations
from orchestration.raw_assets import raw_tables
from orchestration.rebuild import rebuild
from orchestration.restore import restore_if_behind
from orchestration.schema_name import PARTS, drop_others
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House

MINE = {
    "mine.notes": "create table mine.notes as select 1 as note",
    "raw.notes": "create table raw.notes as select 1 as note",
    "columns.notes": "create table columns.notes as select 1 as note",
    "main.notes": "create table main.notes as select 1 as note",
    "segment.notes": "create table segment.notes as select 1 as note",
    "segment.pages": "create view segment.pages as from segment.page",
    "segment_staging.track": "create view segment_staging.track as from raw.track",
    "segment_warehouse.notes": "create table segment_warehouse.notes as select 1 as note",
    "mine.plus()": "create macro mine.plus(a) as a + 1",
    "segment.latest()": "create macro segment.latest() as table from segment.page",
}


@pytest.fixture
def house(own_house: House, prepared_house: Path) -> Settings:
    """A house of the test's own, with all tables there, and a schema of a user's."""
    settings = own_house.move_in(prepared_house).settings
    with writer_lock(settings), connect(settings) as con:
        con.execute("create schema mine")
    return settings


def make(house: Settings, *statements: str) -> None:
    with writer_lock(house), connect(house) as con:
        for statement in statements:
            con.execute(statement)


def users(house: Settings) -> list[str]:
    with connect(house, read_only=True) as con:
        return users_relations(con, house)


def test_tables_views_and_macros_of_a_user_are_told_apart_in_every_schema(house: Settings) -> None:
    assert users(house) == []

    make(house, *MINE.values())

    assert users(house) == sorted(MINE)


def test_views_that_the_data_names_and_what_a_killed_dbt_leaves_are_no_users(
    house: Settings,
) -> None:
    make(
        house,
        "insert into segment.child_table values ('track__properties__products', '', '')",
        "create view segment.track__properties__products as from segment.track",
        "create table segment.track__dbt_tmp as from segment.track",
        "create table segment.page__dbt_backup as from segment.page",
    )

    assert users(house) == []


@pytest.mark.parametrize("name", ["mine.notes", "segment.notes", "segment.latest()"])
def test_a_rebuild_refuses_to_lose_it(house: Settings, name: str) -> None:
    make(house, MINE[name])

    with pytest.raises(RebuildRefusedError, match="Nothing was changed") as refused:
        rebuild(house)

    assert f"the first: {name}." in str(refused.value)
    assert users(house) == [name]


@pytest.mark.parametrize("old", ["old", "seamline", "temp"])
def test_a_rename_leaves_it_in_the_old_schema(house: Settings, old: str) -> None:
    make(
        house,
        *(f"create schema seamline.{old}{part}" for part in PARTS),
        f"create table seamline.{old}.track (message_id varchar)",
        f"create view seamline.{old}.completeness as from raw.track",
        f"create view {old}_staging.stg_segment__track as from seamline.{old}.track",
        f"create table seamline.{old}.mine as select 1 as note",
        f"create macro {old}_warehouse.plus(a) as a + 1",
    )

    with writer_lock(house), connect(house) as con:
        assert drop_others(con, house) == [old]

    assert users(house) == [f"{old}.mine", f"{old}_warehouse.plus()"]
    with connect(house, read_only=True) as con:
        query = f"select note, {old}_warehouse.plus(1) from seamline.{old}.mine"
        assert con.execute(query).fetchall() == [(1, 2)]


@pytest.fixture
def without_catalog(house: Settings) -> Settings:
    """Of which the catalog was lost, and the Parquet files were not, for a month."""
    make(house, MINE["mine.notes"], MINE["segment.notes"])
    landed.land(house.landing, "track", landed.line({"messageId": "a", "type": "track"}))
    load(house)
    for path in house.data.rglob("*.parquet"):
        os.utime(path, (0, 0))
    for path in house.catalog.parent.glob("catalog.sqlite*"):
        path.unlink()
    return house


def test_a_restore_says_what_it_cannot_bring_back_and_where_it_is(
    without_catalog: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        restored = restore_if_behind(without_catalog)

    assert restored is not None
    data = without_catalog.data
    assert restored.folders == [data / "mine" / "notes", data / "segment" / "notes"]
    assert "of your own are not made again" in caplog.text
    assert str(data / "mine" / "notes") in caplog.text
    assert all(path.stat().st_mtime > 0 for path in data.rglob("*.parquet"))


def test_a_run_that_restores_says_it_too(without_catalog: Settings) -> None:
    done = dg.materialize([raw_tables], raise_on_error=False)

    (failure,) = [event for event in done.all_events if event.is_step_failure]
    said = str(failure.step_failure_data.user_failure_data)
    assert "of your own are not made again" in said
    assert str(without_catalog.data / "segment" / "notes") in said
