"""Columns when one source sends names without end, and when an operator drops some."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.columns import drop as dropping
from orchestration.columns.columns_yml import dropped_file, read_rules
from orchestration.columns.drop import NothingFitsError, drop, take_back
from orchestration.columns.listing import columns_brought, lines_of, listed_fields
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.receiver.attack import bad_input

pytestmark = pytest.mark.timeout(600)

FEW = "sources: {junk: {max_columns: 2, max_columns_of_event: 2}, shop: {max_columns: 6}}\n"
JUNK = {f"junk{number}": number for number in range(6)}
DUMP = {f"dump{number}": number for number in range(6)}
TRACK = ("stg_segment__track", "track", "field")


def send(settings: Settings, name: str, source: str, event: str = "E", **properties: Any) -> None:
    sent = {"type": "track", "messageId": name, "event": event, "properties": properties}
    landed.land(
        settings.landing, "track", landed.line(json.dumps(sent), message_id=name, source=source)
    )
    load(settings)


def properties_of(house: House) -> list[str]:
    rows = house.rows(
        "select column_name from (describe segment.track) where column_name like 'properties%'"
    )
    return [name for (name,) in rows]


@pytest.fixture(scope="module")
def junk_house(house: House) -> House:
    """One in which a source and an event used up their columns, and others go on, load by load."""
    house.settings.columns.write_text(FEW)
    send(house.settings, "j", "junk", **JUNK)
    send(house.settings, "d", "shop", "Debug Dump", **DUMP)
    house.dbt("run", "--select", *TRACK)
    send(house.settings, "w1", "web", honest=1)
    send(house.settings, "b", "shop", "Bought", price=39, dump4=44)
    house.dbt("run", "--select", *TRACK)
    send(house.settings, "w2", "web", junk4="x", junk5=5)
    house.dbt("run", "--select", *TRACK)
    return house


@bad_input("B134", "junk properties without end", "another's new property has its column")
def test_an_honest_sources_new_field_has_its_column_with_the_next_load(junk_house: House) -> None:
    assert properties_of(junk_house) == [
        *("properties__junk0", "properties__junk1"),
        *("properties__dump0", "properties__dump1", "properties__dump2"),
        *("properties__honest", "properties__dump4", "properties__price"),
        *("properties__junk4", "properties__junk5"),
    ]
    assert junk_house.rows(
        "select properties__honest from segment.track where message_id = 'w1'"
    ) == [(1,)]


@bad_input(
    "B191",
    "one event with a thousand properties",
    "it has half the room, a later new property of the source's other events a column",
)
def test_an_honest_events_new_field_has_its_column_with_the_next_load(junk_house: House) -> None:
    values = "select properties__dump2, properties__dump4, properties__price from segment.track "

    assert junk_house.rows(values + "where message_id = 'd'") == [(2, None, None)]
    assert junk_house.rows(values + "where message_id = 'b'") == [(None, 44, 39)]
    assert junk_house.rows(
        "select event, status from segment.field where path = 'properties.dump3'"
    ) == [("Debug Dump", "too many columns")]


def test_what_was_held_back_is_listed_by_source_with_counts(junk_house: House) -> None:
    rows = junk_house.rows(
        "select source, path, status, count from segment.field where path like 'properties.junk%' "
        "and (status <> 'column' or source = 'web') order by all"
    )

    assert rows == [
        ("junk", "properties.junk2", "too many columns", 1),
        ("junk", "properties.junk3", "too many columns", 1),
        ("junk", "properties.junk4", "too many columns", 1),
        ("web", "properties.junk4", "column", 1),
        ("web", "properties.junk5", "column", 1),
    ]


@pytest.mark.long
def test_a_table_made_load_by_load_is_the_one_that_is_made_at_once(junk_house: House) -> None:
    rows = "select * from segment.track order by message_id"
    by_load = junk_house.rows(rows), properties_of(junk_house)
    values = "select message_id, properties__junk5 from segment.track order by message_id"
    assert dict(junk_house.rows(values)) == dict.fromkeys(("b", "d", "j", "w1")) | {"w2": 5}

    junk_house.dbt("run", "--full-refresh", "--select", *TRACK)

    assert (junk_house.rows(rows), properties_of(junk_house)) == by_load


def place(settings: Settings, calls: list[str]) -> list[object]:
    """Stands for building tables anew: places columns, and no more."""
    assert calls == ["track"]
    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
        update_placement(con, "segment", read_rules(settings.columns))
    return []


@pytest.fixture
def placed(copy_of: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A warehouse in which junk was placed; building tables anew places columns and no more."""

    def make(settings: Settings) -> None:
        settings.columns.write_text(FEW)
        send(settings, "j", "junk", **JUNK)
        send(settings, "w", "web", "Bought", honest=1, junk_mail="x")
        place(settings, ["track"])

    monkeypatch.setattr(dropping.run, "build_anew", place)
    return copy_of("placed-junk", make)


def columns(settings: Settings) -> set[str]:
    return {
        one.column.removeprefix("track.properties__")
        for one in listed_fields(settings)
        if one.column and "properties__" in one.column
    }


def test_the_list_says_of_each_field_which_column_it_has_or_why_none(placed: Settings) -> None:
    lines = list(lines_of(listed_fields(placed, "track")))

    assert "track  properties.junk1  bigint  junk: 1  track.properties__junk1 bigint" in lines
    assert "track  properties.junk2  bigint  junk: 1  too many columns" in lines
    (of_junk,) = (line for line in lines if line.startswith("track of junk: "))
    assert of_junk.endswith("4 fields without one, 0 values of fields that are not listed")
    assert list(lines_of([], columns_brought(placed))) == [
        "track: 'E' of junk has brought 2 columns",
        "track: 'Bought' of web has brought 2 columns",
    ]


def test_the_warning_names_the_event_that_used_up_most(
    placed: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    send(placed, "d", "shop", "Debug\nDump" + "!" * 500, **DUMP)
    dropping.run.build_anew(placed, ["track"])

    assert "Most were brought by 'Debug\\nDump!!!" in caplog.text
    assert "' of 'shop': 3. " in caplog.text
    assert "!" * 110 not in caplog.text


def test_dropped_fields_give_their_places_back(placed: Settings) -> None:
    said = drop(placed, "properties.junk?", "junk").report("dropped")

    assert said == "Columns dropped: 2 of track"
    assert columns(placed) == {"honest", "junk_mail"}
    send(placed, "k", "junk", new=1, junk0=1)
    placed_again = drop(placed, "properties.junk_mail", None)
    assert placed_again.columns == {"track": {"track.properties__junk_mail"}}
    assert columns(placed) == {"honest", "new"}


def test_what_other_sources_send_keeps_its_column_when_one_sources_are_dropped(
    placed: Settings,
) -> None:
    send(placed, "w2", "web", junk0=7)

    drop(placed, "properties.junk*", "junk")

    assert columns(placed) == {"honest", "junk_mail", "junk0"}


@pytest.mark.long
def test_dropped_fields_can_be_taken_back(placed: Settings) -> None:
    drop(placed, "properties.honest", None)
    assert columns(placed) == {"junk0", "junk1", "junk_mail"}

    assert take_back(placed, "properties.honest", None).report("taken back") == (
        "Columns taken back: 1 of track"
    )

    assert columns(placed) == {"junk0", "junk1", "junk_mail", "honest"}
    with pytest.raises(NothingFitsError, match="was not dropped"):
        take_back(placed, "properties.honest", None)


@pytest.mark.long
def test_what_one_event_has_brought_can_be_freed_and_taken_back(placed: Settings) -> None:
    send(placed, "d", "shop", "Debug Dump", **DUMP)
    send(placed, "b", "shop", "Bought", price=39, dump1=1)
    dropping.run.build_anew(placed, ["track"])
    before = {"honest", "junk_mail", "junk0", "junk1", "price"}
    assert columns(placed) == before | {"dump0", "dump1", "dump2"}

    said = drop(placed, "*", "shop", "Debug *").report("dropped")

    assert said == "Columns dropped: 2 of track"
    assert columns(placed) == before | {"dump1"}  # as another event has it too
    brought = [one for one in columns_brought(placed) if one.source == "shop"]
    assert brought == [("track", "shop", "Bought", 2)]
    with pytest.raises(NothingFitsError, match="was not dropped of Debug Dump of shop"):
        take_back(placed, "*", "shop", "Debug Dump")
    assert take_back(placed, "*", "shop", "Debug *").columns == {
        "track": {"track.properties__dump0", "track.properties__dump2"}
    }
    assert columns(placed) == before | {"dump0", "dump1", "dump2"}


def test_a_pattern_that_nothing_fits_changes_nothing(placed: Settings) -> None:
    with pytest.raises(NothingFitsError, match="No field fits"):
        drop(placed, "properties.nothing", None)
    with pytest.raises(NothingFitsError, match="No field fits"):
        drop(placed, "properties.junk0", None, "Bought")

    assert not dropped_file(placed.columns).exists()


@pytest.mark.long
def test_a_warehouse_made_again_has_no_column_that_was_dropped(
    junk_house: House,
) -> None:
    junk_house.run("load")

    said = junk_house.run("columns", "--drop", "properties.junk*", "--source", "junk")

    assert "Columns dropped: 2 of track" in said
    left = [
        *("properties__dump0", "properties__dump1", "properties__dump2", "properties__honest"),
        *("properties__dump4", "properties__price", "properties__junk4", "properties__junk5"),
    ]
    assert properties_of(junk_house) == left
    rows = junk_house.rows("select * from segment.track order by message_id")
    kept = "select payload ->> '$.properties.junk1' from raw.track where message_id = 'j'"
    assert junk_house.rows(kept) == [("1",)]
    junk_house.run("rebuild")
    assert properties_of(junk_house) == left
    assert junk_house.rows("select * from segment.track order by message_id") == rows
