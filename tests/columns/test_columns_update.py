"""What is worked out before dbt starts."""

import json

import pytest

from orchestration.columns import seen_fields, update
from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import (
    create_column_tables,
    update_placement,
)
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.receiver.attack import bad_input

pytestmark = pytest.mark.usefixtures("made_warehouse")


@pytest.mark.long
def test_fields_without_room_for_a_column_are_listed_and_warned_of(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    bag = {f"p{number}": number for number in range(150)}
    event = json.dumps({"type": "track", "properties": bag})
    landed.land(settings.landing, "track", landed.line(event, message_id="m"))
    load(settings)
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        update_placement(con, "segment", ColumnRules())
        assert "have no column" not in caplog.text

        update_placement(con, "segment", ColumnRules(max_columns=200))

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
        update_placement(con, "segment", ColumnRules())
        snapshots = "select max(snapshot_id) from ducklake_snapshots('seamline')"
        before = con.execute(snapshots).fetchone()

        update_placement(con, "segment", ColumnRules())

        assert con.execute(snapshots).fetchone() == before


@pytest.mark.long
def test_a_column_of_an_earlier_version_that_hides_a_word_of_ducklakes_gets_another_name(
    settings: Settings,
) -> None:
    values = ['{"filename": "x", "fileName": 2}', '{"filename": 3, "fileName": 4}']
    landed.land(settings.landing, "page", *(landed.line(one, message_id="m") for one in values))
    load(settings)
    with writer_lock(settings), connect(settings) as con:
        for schema in ("segment", "another_name"):
            con.execute(f"create schema {schema}")
            con.execute(f"create schema {schema}_staging")
            con.execute(
                f"create table {schema}.page (filename varchar, filename__bigint bigint, a int)"
            )
            con.execute(f"insert into {schema}.page values ('x', 2, 3)")
            con.execute(f"create view {schema}_staging.stg_segment__page as from {schema}.page")
        con.execute("create table segment.mine (filename varchar)")
        create_column_tables(con)
        update_placement(con, "segment", ColumnRules())
        con.execute("update columns.placed set digest = 'of another version'")
        con.execute(
            "update columns.placement set column_name = replace(column_name, 'filename_', "
            "'filename') where column_name like 'filename%'"
        )

        update_placement(con, "segment", ColumnRules())

        for schema in ("segment", "another_name"):
            page = con.execute(f"describe {schema}.page").fetchall()
            assert [name for name, *_ in page] == ["filename_", "filename___bigint", "a"]
            assert con.execute(f"from {schema}.page").fetchall() == [("x", 2, 3)]
        (own,) = con.execute("describe segment.mine").fetchall()
        assert own[0] == "filename"
        assert con.execute("from columns.to_fill").fetchall() == []


def relations(settings: Settings, rules: ColumnRules) -> list[str]:
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        update_placement(con, "segment", rules)
        rows = con.execute("select event from columns.event_name order by all").fetchall()
    return [event for (event,) in rows]


@pytest.mark.long
@bad_input("B135", "event names without end", "another's new event has its relation")
def test_a_source_brings_so_many_relations_of_events_and_takes_none_of_anothers(
    settings: Settings,
) -> None:
    junk = [landed.line({"event": f"Junk {n}"}, message_id="j", source="junk") for n in range(9)]
    own = [landed.line({"event": name}, message_id="w") for name in ("Junk 8", "Test 1", "Bought")]
    landed.land(settings.landing, "track", *junk, *own)
    load(settings)
    few = ColumnRules.model_validate(
        {"sources": {"junk": {"max_events": 2}}, "refuse_events": ["Test *"]}
    )

    assert relations(settings, few) == ["Bought", "Junk 0", "Junk 1", "Junk 8"]
    assert len(relations(settings, ColumnRules())) == 11
    assert relations(settings, ColumnRules(allow_events=("Bou*",))) == ["Bought"]


@pytest.mark.long
def test_columns_are_placed_again_only_when_something_is_new(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def placed(rules: ColumnRules) -> bool:
        with writer_lock(settings), connect(settings) as con, monkeypatch.context() as patched:
            asked = []
            own = seen_fields.place
            patched.setattr(seen_fields, "place", lambda *a: asked.append(a) or own(*a))
            create_column_tables(con)
            update_placement(con, "segment", rules)
        return bool(asked)

    def send(*names: str) -> None:
        event = {"properties": dict.fromkeys(names, 1)}
        landed.land(settings.landing, "track", landed.line(event, message_id="m"))
        load(settings)

    send("a")
    assert placed(ColumnRules())
    send("a")
    assert not placed(ColumnRules())
    send("a", "b")
    assert placed(ColumnRules())
    assert placed(ColumnRules(max_columns=500))
    assert not placed(ColumnRules(max_columns=500))


def test_the_tables_of_an_earlier_version_get_the_columns_they_lack(settings: Settings) -> None:
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        con.execute("alter table columns.placement drop column since_load")

        create_column_tables(con)

        assert ("since_load",) in con.execute(
            "select column_name from (describe columns.placement)"
        ).fetchall()


def test_a_start_knows_whether_fields_are_where_this_version_places_them(
    settings: Settings,
) -> None:
    with writer_lock(settings), connect(settings) as con:
        assert not update.is_placed_by_this_version(con)
        create_column_tables(con)
        update_placement(con, "segment", ColumnRules())
        assert update.is_placed_by_this_version(con)

        con.execute("update columns.placed set digest = 'of another version'")

        assert not update.is_placed_by_this_version(con)
