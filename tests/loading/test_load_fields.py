"""What a load notes of the fields it brings."""

import time
from pathlib import Path
from typing import Any

import pytest

from orchestration.loading import field_budget, field_rows
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.receiver.attack import bad_input
from tests.support.warehouse import reading

pytestmark = pytest.mark.usefixtures("made_warehouse")


def land(settings: Settings, *events: Any, call: str = "track", source: str = "web") -> None:
    lines = [landed.line(event, message_id="m", source=source) for event in events]
    landed.land(settings.landing, call, *lines)


def seen(settings: Settings, where: str = "true") -> list[tuple[Any, ...]]:
    with reading(settings) as con:
        return con.execute(
            f"select path, type, sum(count) from raw.field where {where} "
            "and path <> '' group by all order by path, type"
        ).fetchall()


def test_every_path_is_noted_with_its_types(settings: Settings) -> None:
    land(settings, {"a": {"b": 1}}, {"a": {"b": "x"}}, {"a": {"b": 1.5}}, {"a": True}, {"a": None})
    load(settings)

    assert seen(settings) == [
        ("a", "boolean", 1),
        ("a", "object", 3),
        ("a.b", "bigint", 1),
        ("a.b", "double", 1),
        ("a.b", "string", 1),
    ]


def test_a_load_adds_to_what_was_counted(settings: Settings) -> None:
    for _ in range(3):
        land(settings, {"a": 1}, {"a": 2})
        load(settings)

    assert seen(settings) == [("a", "bigint", 6)]


def test_a_file_that_comes_again_is_not_counted_again(settings: Settings) -> None:
    path = landed.land(settings.landing, "track", landed.line({"a": 1}, message_id="m"))
    data = path.read_bytes()
    load(settings)
    path.write_bytes(data)
    load(settings)

    assert seen(settings) == [("a", "bigint", 1)]


def test_the_first_place_stays_the_first(settings: Settings) -> None:
    land(settings, {"a": 1}, {"b": 1})
    load(settings)
    land(settings, {"b": 2})
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select path, arg_min(first_line, first_load_id), min(first_load_id), "
            "max(last_load_id) from raw.field group by path order by path"
        ).fetchall()
    assert rows == [("a", 1, 1, 1), ("b", 2, 1, 2)]


def test_elements_of_an_array_are_noted_each_with_its_type(settings: Settings) -> None:
    land(
        settings,
        {"properties": {"products": [{"price": 1}, {"price": "2"}, 3], "mixed": [1, "a", None]}},
    )
    load(settings)

    assert seen(settings, "path like 'properties.%'") == [
        ("properties.mixed", "array", 1),
        ("properties.mixed[]", "bigint", 1),
        ("properties.mixed[]", "string", 1),
        ("properties.products", "array", 1),
        ("properties.products[]", "bigint", 1),
        ("properties.products[]", "object", 1),
        ("properties.products[].price", "bigint", 1),
        ("properties.products[].price", "string", 1),
    ]


def test_an_integer_of_more_than_64_bits_is_text(settings: Settings) -> None:
    numbers = {
        "9223372036854775807": "long",
        "-9223372036854775808": "bigint",
        "9223372036854775808": "string",
        "18446744073709551616": "string",
        "123456789012345678901234567890": "string",
        "1.0": "double",
        "1e3": "double",
        "0": "bigint",
    }
    land(settings, *(f'{{"n{place}": {number}}}' for place, number in enumerate(numbers)))
    load(settings)

    assert [kind for _, kind, _ in seen(settings)] == list(numbers.values())


def test_numbers_above_and_below_zero_in_one_array_are_whole_numbers(settings: Settings) -> None:
    land(settings, {"d": [1, -1]}, {"p": [{"lat": 1}, {"lat": -1}]})
    load(settings)

    assert seen(settings) == [
        ("d", "array", 1),
        ("d[]", "bigint", 1),
        ("p", "array", 1),
        ("p[]", "object", 1),
        ("p[].lat", "bigint", 1),
    ]


def test_a_name_with_a_nul_in_it_is_not_listed(settings: Settings) -> None:
    land(settings, '{"event": "a\\u0000b", "properties": {"p": 1}}')
    load(settings)

    with reading(settings) as con:
        assert con.execute("select distinct event from raw.field").fetchall() == [(None,)]


def test_ids_in_the_place_of_keys_are_no_fields(settings: Settings) -> None:
    land(
        settings,
        {"stock": {str(n): {"quantity": n} for n in range(500)} | {"unit": "kg"}},
        {"7": 1},
    )
    load(settings)

    assert seen(settings) == [
        ("stock", "map", 1),
        ("stock", "object", 1),
        ("stock.unit", "string", 1),
    ]


@bad_input("B187", "ten thousand numbers for keys", "the fields of one element are listed")
def test_what_may_be_a_list_with_holes_is_noted_with_what_its_elements_have(
    settings: Settings,
) -> None:
    land(
        settings,
        {"p": {str(n): {"sku": "s"} for n in range(10_000)}},
        {"p": {"2": {"a@b.example": 1, "sizes": {"0": {}, "7": 1.5}}, "5": None}},
        {"q": {"0": {"sku": "s"}, "name": "x"}, "r": {"1234567": {"sku": "s"}}},
    )
    load(settings)

    assert seen(settings) == [
        ("p", "map", 2),
        ("p", "object", 2),
        ("p[]", "map", 1),
        ("p[]", "object", 2),
        ("p[].sizes", "map", 1),
        ("p[].sizes", "object", 1),
        ("p[].sizes[]", "double", 1),
        ("p[].sizes[]", "object", 1),
        ("p[].sku", "string", 1),
        ("q", "map", 1),
        ("q", "object", 1),
        ("q.name", "string", 1),
        ("r", "map", 1),
        ("r", "object", 1),
    ]


def test_properties_are_noted_event_by_event(settings: Settings) -> None:
    land(
        settings,
        {"event": "Bought", "properties": {"price": 1}, "context": {"ip": "x"}},
        {"event": "Sold", "properties": {"price": 2}, "context": {"ip": "x"}},
        {"event": 5, "properties": {"price": 3}},
        {"event": ["no name"], "properties": {"price": 4}},
    )
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select event, path, count from raw.field "
            "where path in ('properties.price', 'context.ip') order by all"
        ).fetchall()
    assert rows == [
        ("5", "properties.price", 1),
        ("Bought", "properties.price", 1),
        ("Sold", "properties.price", 1),
        (None, "context.ip", 2),
        (None, "properties.price", 1),
    ]


def test_names_of_events_without_end_are_listed_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(field_budget, "MAX_EVENTS", 3)
    for first in (0, 2):
        events = [{"event": f"Viewed {n}", "properties": {"p": 1}} for n in range(first, first + 4)]
        land(settings, *events)
        load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select event, sum(count) from raw.field where path = 'properties.p' "
            "group by all order by all"
        ).fetchall()
    assert rows == [("Viewed 0", 1), ("Viewed 1", 1), ("Viewed 2", 2), (None, 4)]
    assert "More than 3 names of events" in caplog.text


@bad_input("B130", "fields without end", "200 each, listed up to a number and then counted")
def test_fields_without_end_are_listed_up_to_a_number_and_the_others_counted(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_budget, "MAX_FIELDS", 10)
    land(settings, *({"type": "page", f"p{n:03d}": n} for n in range(100)), call="page")
    load(settings)
    land(settings, {"type": "page", "a": 1, "p000": 1}, call="page")
    load(settings)

    paths = [path for path, _, _ in seen(settings)]
    assert paths == ["p000", "p001", "p002", "p003", "p004", "p005", "p006", "p007", "p008", "type"]
    with reading(settings) as con:
        beyond = con.execute(
            "select source, call, keys, type, sum(count) from raw.field "
            "where path = '' group by all"
        ).fetchall()
    assert beyond == [("web", "page", [], "not listed", 92)]


@bad_input("B131", "a source with fields without end", "another's new field is listed")
@pytest.mark.parametrize(("call", "listed"), [("track", 3), ("identify", 5)])
def test_a_source_without_end_of_fields_takes_no_room_of_anothers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, call: str, listed: int
) -> None:
    monkeypatch.setattr(field_budget, "MAX_FIELDS", 5)
    junk = [{f"junk{n}": n} for n in range(20)]
    land(settings, *junk, source="junk", call=call)
    land(settings, {"a": 1}, source="web", call=call)
    load(settings)
    land(settings, *junk, {"more": 1}, source="junk", call=call)
    land(settings, {"b": 1, "junk9": 1}, source="web", call=call)
    load(settings)

    assert [path for path, *_ in seen(settings, "source = 'web'")] == ["a", "b", "junk9"]
    assert len(seen(settings, "source = 'junk'")) == listed


@bad_input("B190", "one event with fields without end", "its source's other events' are listed")
def test_an_event_without_end_of_fields_leaves_as_much_to_the_others_of_its_source(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_budget, "MAX_FIELDS", 20)
    monkeypatch.setattr(field_budget, "MAX_EVENT_FIELDS", 30)
    dump = {"event": "Dump", "properties": {f"d{n:03d}": n for n in range(90)}}
    context = {"event": "Dump", "context": {f"c{n:03d}": n for n in range(90)}}
    for event in (dump, dump, context):
        land(settings, event)
        load(settings)
    land(settings, {"event": "Bought", "properties": {"price": 1, "d089": 1}})
    load(settings)

    assert seen(settings, "event = 'Bought'") == [
        ("event", "string", 1),
        ("properties", "object", 1),
        ("properties.d089", "bigint", 1),
        ("properties.price", "bigint", 1),
    ]
    by_event = "path like 'properties.d%' and event = 'Dump'"
    assert len(seen(settings, by_event)) == 8  # and `event` and `properties`: half of 20
    assert len(seen(settings, "event is null")) == 5  # half of what that left


@bad_input("B132", "a source with event names without end", "another's new event is listed")
def test_a_source_without_end_of_events_takes_no_name_of_anothers(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_budget, "MAX_EVENTS", 3)
    land(settings, *({"event": f"Junk {n}"} for n in range(9)), source="junk")
    load(settings)
    land(settings, {"event": "Bought"}, {"event": "Junk 7"}, source="web")
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select distinct source, event from raw.field where event is not null order by all"
        ).fetchall()
    junk = [("junk", f"Junk {n}") for n in range(3)]
    assert rows == [*junk, ("web", "Bought"), ("web", "Junk 7")]


@bad_input(
    "B133", "event names times property names without end", "the fields once, for all these events"
)
def test_events_times_properties_without_end_are_listed_together(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_budget, "MAX_EVENT_FIELDS", 15)
    bag = {f"p{n}": n for n in range(4)}
    for _ in range(2):
        land(settings, *({"event": f"E{n}", "properties": bag} for n in range(5)), source="junk")
        load(settings)
    land(settings, {"event": "Bought", "properties": {"p0": 1, "price": 1}}, source="web")
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select source, event, sum(count) from raw.field where path = 'properties.p0' "
            "group by all order by all"
        ).fetchall()
        (named,) = con.execute(
            "select count(*) from (select distinct event, path from raw.field "
            "where source = 'junk' and event is not null)"
        ).fetchall()
    assert rows == [("junk", "E0", 2), ("junk", "E1", 2), ("junk", None, 6), ("web", "Bought", 1)]
    assert named == (6 + 6 + 3,)  # beyond the room the names alone
    assert seen(settings, "source = 'junk' and path = 'properties.p3'") == [
        ("properties.p3", "bigint", 10)
    ]


def test_sources_without_end_share_one_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_budget, "MAX_SOURCES", 2)
    monkeypatch.setattr(field_budget, "MAX_FIELDS", 3)
    for number in range(6):
        land(settings, {f"a{number}": 1, f"b{number}": 1}, source=f"s{number}", call="page")
        load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select source, path from raw.field where path <> '' order by all"
        ).fetchall()
    own = [("s0", "a0"), ("s0", "b0"), ("s1", "a1"), ("s1", "b1")]
    assert rows == [*own, (None, "a2"), (None, "a3"), (None, "b2")]


@pytest.mark.parametrize("limits", [(8, 3, 9), (12, 4, 9), (16, 3, 30), (30, 5, 12)])
def test_what_is_listed_does_not_depend_on_how_files_come_together(
    settings: Settings,
    tmp_path: Path,
    raw_house: Path,
    monkeypatch: pytest.MonkeyPatch,
    limits: tuple[int, ...],
) -> None:
    for name, number in zip(("MAX_FIELDS", "MAX_EVENTS", "MAX_EVENT_FIELDS"), limits, strict=True):
        monkeypatch.setattr(field_budget, name, number)
    another = House(tmp_path / "another").move_in(raw_house).settings
    files = [
        [{"event": f"E{(n * 7) % 5}", "properties": {f"p{(n * k) % 9}": n, f"q{n}": [1, "a"]}}
         for n in range(k, k + 4)]
        for k in (1, 4, 2)
    ]  # fmt: skip
    for events in files:
        land(settings, *events)
        load(settings)
        land(another, *events)
    load(another)

    listed = "select call, event, path, type, sum(count) from raw.field group by all order by all"
    with reading(settings) as con:
        one_by_one = con.execute(listed).fetchall()
    with reading(another) as con:
        assert con.execute(listed).fetchall() == one_by_one


def test_a_load_adds_rows_and_writes_those_there_are_anew_only_once_in_a_while(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_rows, "ADDITIONS", 3)
    files = "select data_file from ducklake_list_files('seamline', 'field', schema => 'raw')"
    known: list[set[tuple[str]]] = []
    for _ in range(5):
        land(settings, {"a": 1})
        load(settings)
        with reading(settings) as con:
            known.append(set(con.execute(files).fetchall()))

    assert known[0] < known[1] < known[2] < known[3]
    assert len(known[4]) == 1
    assert seen(settings) == [("a", "bigint", 5)]


def test_what_is_no_object_has_no_fields(settings: Settings) -> None:
    land(settings, "[1, 2]", '"text"', "null", "1", "{}")
    load(settings)

    assert seen(settings) == []


def test_what_an_earlier_version_listed_keeps_its_columns_and_is_bounded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(settings, *({"event": f"E{n}", "properties": {"a": n, "b": n}} for n in range(3)))
    load(settings)
    monkeypatch.setattr(field_budget, "MAX_EVENT_FIELDS", 5)
    with writer_lock(settings), connect(settings) as con:
        con.execute("alter table raw.field drop column source")
        create_raw_tables(con)
    land(settings, {"event": "E0", "properties": {"a": 1}})
    load(settings)

    with reading(settings) as con:
        rows = con.execute(
            "select source, event, path, sum(count) from raw.field group by all order by all"
        ).fetchall()
    assert [row for row in rows if row[0] is None] == [
        (None, "E0", "event", 1),
        (None, "E0", "properties", 1),
        (None, "E0", "properties.a", 1),
        (None, "E1", "event", 1),
        (None, "E2", "event", 1),
        (None, None, "properties", 2),
        (None, None, "properties.a", 2),
        (None, None, "properties.b", 3),
    ]
    assert ("web", "E0", "properties.a", 1) in rows


@pytest.mark.long
@pytest.mark.timeout(900)
def test_after_48_mb_of_names_a_load_of_one_event_takes_what_it_took_before(
    settings: Settings,
) -> None:
    def seconds_of_one() -> float:
        land(settings, {"event": "Bought", "properties": {"price": 1}})
        began = time.process_time()
        load(settings)
        return time.process_time() - began

    seconds_of_one()
    before = min(seconds_of_one() for _ in range(5))
    bag = {f"p{n:04d}": 1 for n in range(4_000)}
    land(settings, *({"event": f"E{n}", "properties": bag} for n in range(1_000)), source="junk")
    load(settings)

    assert min(seconds_of_one() for _ in range(5)) <= 1.5 * before
    with reading(settings) as con:
        ((count,),) = con.execute("select count(*) from raw.field").fetchall()
    assert (
        count <= field_budget.MAX_EVENT_FIELDS + field_budget.MAX_EVENTS + field_budget.MAX_FIELDS
    )
