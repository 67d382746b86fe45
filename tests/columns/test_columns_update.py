"""What is worked out before dbt starts."""

import json

import pytest

from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import (
    create_column_tables,
    rename_hiding_columns,
    update_placement,
)
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed

pytestmark = pytest.mark.usefixtures("made_warehouse")


def test_fields_without_room_for_a_column_are_listed_and_warned_of(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    bag = {f"p{number}": number for number in range(150)}
    event = json.dumps({"type": "track", "properties": bag})
    landed.land(settings.landing, "track", landed.line(event, message_id="m"))
    load(settings)
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        update_placement(con, ColumnRules())
        assert "have no column" not in caplog.text

        update_placement(con, ColumnRules(max_columns=200))

        rows = con.execute(
            "select count(*) filter (where column_name is not null), "
            "count(*) filter (where status = 'too many columns') "
            "from columns.placement where call = 'track' and path like 'properties.p%'"
        ).fetchall()
    ((with_column, without),) = rows
    assert with_column + without == 150
    assert without > 0
    assert f"{without} fields of track have no column" in caplog.text


def test_what_has_not_changed_is_not_written_again(settings: Settings) -> None:
    load(settings)
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        update_placement(con, ColumnRules())
        snapshots = "select max(snapshot_id) from ducklake_snapshots('seamline')"
        before = con.execute(snapshots).fetchone()

        update_placement(con, ColumnRules())

        assert con.execute(snapshots).fetchone() == before


def test_a_column_of_an_earlier_version_that_hides_a_word_of_ducklakes_gets_another_name(
    settings: Settings,
) -> None:
    with writer_lock(settings), connect(settings) as con:
        con.execute("create schema segment")
        con.execute("create table segment.page (filename varchar, filename__bigint bigint, a int)")
        con.execute("create table segment.mine (filename varchar)")
        con.execute("insert into segment.page values ('x', 2, 3)")

        rename_hiding_columns(con, "segment")
        rename_hiding_columns(con, "segment")

        page = con.execute("describe segment.page").fetchall()
        assert [name for name, *_ in page] == ["filename_", "filename___bigint", "a"]
        assert con.execute("from segment.page").fetchall() == [("x", 2, 3)]
        (own,) = con.execute("describe segment.mine").fetchall()
        assert own[0] == "filename"
