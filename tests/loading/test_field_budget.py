"""How much a load lists of fields without end, of each source and event."""

import time
from pathlib import Path

import pytest

from orchestration.loading import field_budget, field_rows
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock
from tests.loading.noted_fields import land, seen
from tests.support.house import House
from tests.support.receiver.attack import bad_input
from tests.support.warehouse import reading

pytestmark = pytest.mark.usefixtures("made_warehouse")


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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.any_one
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


@pytest.mark.long
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


@pytest.mark.long
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
