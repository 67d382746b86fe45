"""A warehouse with NULs in its texts, as versions before left it, is put right once, row by row."""

from pathlib import Path
from typing import Any

import pytest

from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.recovery import nul_rows
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros

pytestmark = pytest.mark.timeout(600)

NUL_EVERYWHERE = {
    "type": "track",
    "messageId": "m\0x",
    "userId": "u\0x",
    "anonymousId": "\0",
    "event": "E\0",
    "context": {"page": {"url": "\0"}, "k\0": 1},
    "integrations": {"a\0": "\0", "escaped": "\\u0000"},
    "properties": {"name": "a\0b", "k\0": "v\0", "list": ["\0"], "escaped": "\\u0000"},
}
OF_OTHERS = {"type": "track", "messageId": "plain", "userId": "bob", "event": "E"}

AS_IT_WAS = """
    drop table raw.repair;
    alter table raw.completeness drop column folded;
    alter table raw.completeness drop column unread_times;
    alter table segment.track drop column _seamline_unread_times;
    update raw.track set message_id = 'm' || chr(0) || 'x', sent_at = 'now' || chr(0)
    where message_id like 'm%';
    update segment.track set
        message_id = 'm' || chr(0) || 'x',
        user_id = 'u' || chr(0) || 'x',
        anonymous_id = chr(0),
        event = 'E' || chr(0),
        context__page__url = chr(0),
        integrations = '{"a\\u0000":"\\u0000","escaped":"\\\\u0000"}'::json,
        properties__name = 'a' || chr(0) || 'b',
        properties__list = '["\\u0000"]'::json
    where message_id like 'm%'
"""
"""What the rows were before a NUL was kept out of them (docs/tables/types.md)."""


@pytest.fixture(scope="module")
def older(built_house: House) -> House:
    """Such a warehouse."""
    sent_at = "now\0"
    built_house.land("track", landed.line(NUL_EVERYWHERE, sent_at=sent_at), landed.line(OF_OTHERS))
    built_house.load()
    built_house.dbt("run", "--select", "stg_segment__track", "track")
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        for statement in AS_IT_WAS.split(";"):
            con.execute(statement)
    return built_house


@pytest.fixture
def house(older: House, tmp_path: Path) -> House:
    """A copy of it of the test's own."""
    return older.copy(tmp_path)


def with_nul(house: House) -> list[str]:
    """Rows in which a text has a NUL."""
    tables = ("raw.track", "raw.rejected", "segment.track")
    rows = [row for table in tables for (row,) in house.rows(f"select t::varchar from {table} t")]
    return [row for row in rows if "\0" in row]


@pytest.mark.long
def test_it_is_what_stops_everything(older: House) -> None:
    with connect(older.settings, read_only=True) as con, pytest.raises(Exception, match="DuckLake"):
        con.execute(
            "select * from raw.track where message_id in (select message_id from raw.track)"
        )
    assert len(with_nul(older)) == 2


@pytest.mark.long
def test_another_event_is_loaded_into_the_same_table_and_modelled(house: House) -> None:
    house.land("track", landed.line(OF_OTHERS | {"messageId": "later"}))

    load(house.settings)
    house.dbt("run", "--select", "stg_segment__track", "track")

    ids = "select message_id, user_id, anonymous_id from segment.track order by 1"
    assert house.rows(ids) == [
        ("later", "bob", None), ("m\\u0000x", "u\ufffdx", None), ("plain", "bob", None),
    ]  # fmt: skip
    assert with_nul(house) == []


@pytest.mark.long
def test_verify_alone_puts_it_right_and_proves_every_value(house: House) -> None:
    assert house.problems() == []
    assert with_nul(house) == []


@pytest.mark.long
def test_a_replay_changes_nothing_of_what_was_put_right_and_names_times_that_are_none(
    house: House,
) -> None:
    with writer_lock(house.settings), connect(house.settings) as con:
        create_raw_tables(con)
        put_right = con.sql("from segment.track order by message_id")
        rows = f"select {', '.join(put_right.columns)} from segment.track order by message_id"
        before = put_right.fetchall()

    house.run("replay", "--table", "track")

    assert house.rows(rows) == before
    assert house.problems() == []
    assert house.rows(
        "select message_id, _seamline_unread_times, unread_times from segment.track, "
        "raw.completeness where _seamline_unread_times is not null"
    ) == [("m\\u0000x", "sentAt", 1)]


@pytest.mark.long
def test_a_person_with_a_nul_in_the_id_is_erased_by_the_id_that_the_tables_show(
    house: House,
) -> None:
    done = forget(house.settings, {Id(USER, "u\ufffdx")})

    assert (done.people, done.lines) == (1, 1)
    assert house.rows("select message_id from segment.track") == [("plain",)]
    assert house.problems() == []

    house.land("track", landed.line(NUL_EVERYWHERE | {"messageId": "sent later"}))
    assert load(house.settings).rows.total() == 0


@pytest.mark.long
def test_it_is_done_once(house: House) -> None:
    def repairs() -> list[tuple[Any, ...]]:
        with writer_lock(house.settings), connect(house.settings) as con:
            create_raw_tables(con)
            return con.execute("from raw.repair").fetchall()

    once = repairs()

    assert [(what, rows) for _, what, rows, _ in once] == [("nul", 2), ("long", 0)]
    assert repairs() == once


def test_a_blank_id_is_the_models_one() -> None:
    assert nul_rows.blank_as_null("x") == macros()["blank_as_null"]("x")
