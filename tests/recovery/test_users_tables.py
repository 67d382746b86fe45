"""What a user keeps in the lake is in no file: nothing of it goes without a word."""

import logging
import os
from pathlib import Path

import dagster as dg
import pytest

from orchestration.by_hand import rename_schema
from orchestration.defs import raw_assets
from orchestration.errors import RebuildRefusedError
from orchestration.loading.load import load
from orchestration.models.schema_name import PARTS, SchemaMovedError, drop_others
from orchestration.recovery.ownership import own_relations, users_things
from orchestration.recovery.rebuild import rebuild
from orchestration.recovery.restore import restore_if_behind
from orchestration.recovery.user_notes import Notes, add_notes, notes_of
from orchestration.settings import Settings
from orchestration.warehouse.catalog import comments, options, schemas
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
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
    # names as dbt gives them, but not beside a model
    "main.track__dbt_tmp": "create table main.track__dbt_tmp as select 1 as note",
    "main.orders__dbt_backup_2025": "create table main.orders__dbt_backup_2025 as select 42 as x",
    "segment.revenue__dbt_tmp_v": "create view segment.revenue__dbt_tmp_v as from segment.page",
    "segment.track__dbt_backup_2025": "create table segment.track__dbt_backup_2025 as select 1 x",
    "segment.page__dbt_new": "create table segment.page__dbt_new as select 1 as note",
}
COLUMNS = {
    "columns.rules.mine": "alter table columns.rules add column mine varchar",
    "raw.landed_file.mine": "alter table raw.landed_file add column mine varchar",
    "raw.track.mine": "alter table raw.track add column mine varchar",
    "segment.track.my_score": "alter table segment.track add column my_score double",
    "segment.child_table.mine": "alter table segment.child_table add column mine varchar",
}

OWN = "message_id varchar, _seamline_load_id bigint, _seamline_file varchar, _seamline_line bigint"
STAGED = (
    "select message_id, load_id as _seamline_load_id, file as _seamline_file, "
    "line as _seamline_line from raw.track"
)
"""What a staging view of ours has."""


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
        return users_things(con, house)


def test_tables_views_and_macros_of_a_user_are_told_apart_in_every_schema(house: Settings) -> None:
    assert users(house) == []

    make(house, *MINE.values())

    assert users(house) == sorted(MINE)


@pytest.mark.long
def test_so_are_columns_that_a_user_has_added_to_our_tables(house: Settings) -> None:
    make(
        house,
        "insert into columns.placement (table_name, column_name) values ('track', 'properties__x')",
        "comment on column raw.track.payload is 'mine'",
        "alter table segment.track add column properties__x bigint",
        "alter table segment.track add column left_out varchar",
        "comment on column segment.track.left_out is 'Found in the events at x, as varchar.'",
    )
    assert users(house) == []

    make(house, *COLUMNS.values())

    assert users(house) == sorted(COLUMNS)


@pytest.mark.long
def test_views_that_the_data_names_and_what_a_killed_dbt_leaves_are_no_users(
    house: Settings,
) -> None:
    make(
        house,
        "insert into segment.child_table values"
        " ('track__properties__products', '', 'from segment.track')",
        "create view segment.track__properties__products as from segment.track",
        "create table segment.track__dbt_tmp as from segment.track",
        "create table segment.page__dbt_backup as from segment.page",
        "create table segment.page__dbt_tmp_20261127 as from segment.page",
    )

    assert users(house) == []


REFUSED = MINE | COLUMNS


@pytest.mark.any_one
@pytest.mark.parametrize(
    "name", ["main.orders__dbt_backup_2025", "segment.latest()", "segment.track.my_score"]
)
def test_a_rebuild_refuses_to_lose_it(house: Settings, name: str) -> None:
    make(house, REFUSED[name])

    with pytest.raises(RebuildRefusedError, match="Nothing was changed") as refused:
        rebuild(house)

    assert f"from the files: {name}." in str(refused.value)
    assert users(house) == [name]


KEPT = [
    "create schema mine_empty",
    "comment on table segment.track is 'it''s mine'",
    "comment on column segment.track.event is 'mine'",
    "comment on column raw.track.payload is 'mine'",
    "comment on view segment_warehouse.tracks is 'mine'",
    "call seamline.set_option('parquet_compression', 'snappy')",
    "call seamline.set_option('target_file_size', '9MB', schema => 'raw', table_name => 'track')",
    "call seamline.set_option('parquet_version', '2', schema => 'segment')",
    "call seamline.set_option('hive_file_pattern', false)",
]


@pytest.mark.long
def test_schemas_comments_and_options_of_a_user_come_along_into_another_lake(
    house: Settings, tmp_path: Path
) -> None:
    make(house, *KEPT)
    other = House(tmp_path / "other").settings
    with connect(house, read_only=True) as con:
        notes = notes_of(con)

    make(
        other,
        "create schema segment; create schema segment_warehouse; create schema raw",
        "create table segment.track (message_id varchar, event varchar)",
        "comment on table segment.track is 'of the models'",
        "create table raw.track (payload json)",
        "create view segment_warehouse.tracks as from segment.track",
    )
    with writer_lock(other), connect(other) as con:
        add_notes(con, notes)
        before = con.execute("select max(snapshot_id) from seamline.snapshots()").fetchall()
        add_notes(con, notes)
        assert con.execute("select max(snapshot_id) from seamline.snapshots()").fetchall() == before

    with connect(other, read_only=True) as con:
        assert {"mine", "mine_empty"} <= schemas(con)
        assert comments(con)["table", "segment", "track"] == "it's mine"
        assert comments(con)["view", "segment_warehouse", "tracks"] == "mine"
        assert comments(con)["column", "segment", "track", "event"] == "mine"
        assert comments(con)["column", "raw", "track", "payload"] == "mine"
        assert options(con) == {
            ("hive_file_pattern", "", ""): "false",
            ("parquet_compression", "", ""): "snappy",
            ("target_file_size", "raw", "track"): "9000000",
            ("parquet_version", "segment", ""): "V2",
        }


@pytest.mark.long
@pytest.mark.parametrize("old", ["old", "seamline", "temp"])
def test_a_rename_leaves_it_in_the_old_schema(house: Settings, old: str) -> None:
    make(
        house,
        *(f"create schema seamline.{old}{part}" for part in PARTS),
        f"create table seamline.{old}.track ({OWN})",
        # a user's, as it lacks our columns
        f"create table seamline.{old}.page as select 'mine' as message_id, 1 as note",
        f"create view seamline.{old}.completeness as from raw.track",
        f"create view {old}_staging.stg_segment__track as {STAGED}",
        f"create table seamline.{old}.mine as select 1 as note",
        # a user's, though there is one of the name in the other schema, or a model's view
        f"create table seamline.{old}.notes as select 1 as note",
        "create table segment.notes as select 2 as note",
        f"create table {old}_warehouse.event_relation (name varchar, definition varchar)",
        f"insert into {old}_warehouse.event_relation values ('a', 'select 1'), ('b', 'select 1')",
        "create view segment_warehouse.a as select 1",
        "insert into segment_warehouse.event_relation values ('a', '', 'select 1')",
        f"create view {old}_warehouse.a as select 1",
        f"create view {old}_warehouse.b as select 2 as mine",
        "create view segment_warehouse.b as select 1",
        "insert into segment_warehouse.event_relation values ('b', '', 'select 1')",
        f"create macro {old}_warehouse.plus(a) as a + 1",
    )

    with writer_lock(house), connect(house) as con:
        ours = own_relations(con, house, old)
        assert drop_others(con, house, ours) == [old]

    mine = [
        f"{old}.mine",
        f"{old}.notes",
        f"{old}.page",
        f"{old}_warehouse.b",
        f"{old}_warehouse.plus()",
    ]
    assert users(house) == sorted([*mine, "segment.notes"])
    with connect(house, read_only=True) as con:
        query = f"select note, {old}_warehouse.plus(1) from seamline.{old}.mine"
        assert con.execute(query).fetchall() == [(1, 2)]


def test_a_rename_refuses_to_lose_a_users_columns(house: Settings) -> None:
    make(
        house,
        "create schema old; create schema old_staging",
        f"create table old.track ({OWN}, my_score double)",
        "create table old.page as select 'mine' as message_id, 1 as note",
        f"create view old_staging.stg_segment__track as {STAGED}",
    )

    with pytest.raises(SchemaMovedError, match=r": old\.track\.my_score\. No table was changed"):
        rename_schema(house)


def test_a_rename_takes_comments_along() -> None:
    notes = Notes(
        {"old", "mine"},
        {
            ("table", "old", "track"): "a",
            ("table", "raw", "track"): "b",
            ("column", "old_warehouse", "x", "y"): "c",
            ("column", "raw", "track", "line"): "d",
        },
        {("target_file_size", "old", "track"): "9", ("target_file_size", "", ""): "8"},
    )

    assert notes.moved("old", "new") == Notes(
        {"new"},
        {("table", "new", "track"): "a", ("column", "new_warehouse", "x", "y"): "c"},
        {("target_file_size", "new", "track"): "9"},
    )


@pytest.fixture
def without_catalog(house: Settings) -> Settings:
    """Of which the catalog was lost, and the Parquet files were not, for a month."""
    make(house, MINE["mine.notes"], MINE["segment.notes"])
    landed.land(house.landing, "track", landed.line({"messageId": "a", "type": "track"}))
    load(house)
    for path in house.data.rglob("*.parquet"):
        os.utime(path, (0, 0))
    if house.postgres:
        catalog_of(house).remove()
    else:
        for path in house.catalog.parent.glob("catalog.sqlite*"):
            path.unlink()
    return house


@pytest.mark.long
def test_a_restore_says_what_it_cannot_bring_back_and_where_it_is(
    without_catalog: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        restored = restore_if_behind(without_catalog)

    assert restored is not None
    data = without_catalog.data
    assert restored.folders == [f"{data}/mine/notes", f"{data}/segment/notes"]
    assert "of your own are not made again" in caplog.text
    assert str(data / "mine" / "notes") in caplog.text
    assert all(path.stat().st_mtime > 0 for path in data.rglob("*.parquet"))


@pytest.mark.long
def test_a_run_that_restores_says_it_too(
    without_catalog: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_assets, "run_all_models", lambda _: None)
    instance = dg.DagsterInstance.ephemeral()
    done = dg.materialize([raw_assets.raw_tables], instance=instance)

    said = "\n".join(entry.user_message for entry in instance.all_logs(done.run_id))
    assert "of your own are not made again" in said
    assert str(without_catalog.data / "segment" / "notes") in said
