"""By which rules each table goes: those it was built with, new ones where they change nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pytest

from orchestration.columns.in_force import Force, in_a_line, keep, put_in_force, rules_in_force
from orchestration.columns.rules import MOST_COLUMNS, ColumnRules
from orchestration.columns.seen_fields import SeenFields
from orchestration.columns.update import create_column_tables, update_placement
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.columns.placing import rules
from tests.support import landed
from tests.support.house import House

CALLS = ("alias", "group", "identify", "page", "screen", "track")
COLUMNS = "_seamline_load_id bigint, user_id varchar, traits__at varchar"
NO_RULES = rules()


@pytest.fixture(scope="module")
def warehouse(house: House) -> Iterator[duckdb.DuckDBPyConnection]:
    """One whose tables hold the first load, and know nothing of a second."""
    traits = {"email": "p@shop.example", "at": "2026-11-22", "cart": {"total": 1}}
    for late in ({}, {"late": "2026-11-22"}):
        for call in ("track", "identify"):
            event = {"type": call, "userId": "u", "traits": traits | late}
            house.land(call, landed.line(event, message_id="m"))
        house.load()
    with writer_lock(house.settings), connect(house.settings) as con:
        create_column_tables(con)
        con.execute("create schema segment")
        for call in CALLS:
            con.execute(f'create table segment."{call}" ({COLUMNS})')
        for call in ("track", "identify"):
            con.execute(f"insert into segment.{call} values (1, 'u', '2026-11-22')")
        yield con


@pytest.fixture
def con(warehouse: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """It, without a rule."""
    keep(warehouse, Force(dict.fromkeys(CALLS, NO_RULES)))
    return warehouse


@contextmanager
def changed(con: duckdb.DuckDBPyConnection, statement: str, back: str) -> Iterator[None]:
    con.execute(statement)
    try:
        yield
    finally:
        con.execute(back)


def decide(
    con: duckdb.DuckDBPyConnection,
    wanted: ColumnRules,
    *,
    built: tuple[str, ...] = CALLS,
    is_anew: bool = False,
) -> Force:
    force = put_in_force(con, "segment", wanted, built=built, is_anew=is_anew)
    assert rules_in_force(con) == force.in_force
    return force


@pytest.mark.any_one
@pytest.mark.parametrize(
    "said",
    [
        {"path": "traits.created_at", "type": "timestamp"},
        {"path": "traits.late", "type": "timestamp"},
        {"path": "traits.cart.lines", "json": True},
        {"path": "traits.phone", "hash": True},
        {"path": "context.ip", "hash": True},
        {"path": "context.ip", "leave_out": True},
        {"path": "traits.email", "hash": True, "tables": ["page", "screen"]},
        {"path": "traits.email", "type": "string"},
    ],
)
def test_a_rule_for_what_no_event_in_a_table_has_is_in_force_with_the_next_run(
    con: duckdb.DuckDBPyConnection, said: dict[str, Any]
) -> None:
    wanted = rules(said)

    force = decide(con, wanted)

    assert force == Force(dict.fromkeys(CALLS, wanted))


@pytest.mark.any_one
@pytest.mark.parametrize(
    "said",
    [
        {"path": "traits.at", "type": "timestamp"},
        {"path": "traits.cart", "json": True},
        {"path": "traits.cart", "leave_out": True},
        {"path": "traits.email", "hash": True},
        {"path": "userId", "hash": True},
        {"path": "traits", "hash": True},
    ],
)
def test_a_rule_for_what_events_have_waits_for_the_tables_that_hold_them_and_for_no_other(
    con: duckdb.DuckDBPyConnection, said: dict[str, Any]
) -> None:
    wanted = rules(said)

    force = decide(con, wanted)

    path = said["path"]
    assert force.waiting == {"identify": [path], "track": [path]}
    assert [call for call in CALLS if force.in_force[call] == NO_RULES] == ["identify", "track"]


def test_what_waits_is_not_compared_again_with_each_run(
    con: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = rules({"path": "traits.at", "type": "timestamp"})
    first = decide(con, wanted)
    monkeypatch.delattr(SeenFields, "place")

    assert (
        decide(con, wanted).waiting
        == first.waiting
        == {
            "identify": ["traits.at"],
            "track": ["traits.at"],
        }
    )


def test_a_rule_that_may_be_in_force_does_not_wait_for_another_that_may_not(
    con: duckdb.DuckDBPyConnection,
) -> None:
    late, at = {"path": "traits.late", "type": "timestamp"}, {"path": "traits.at", "hash": True}

    force = decide(con, rules(at, late, hash_salt="pepper"))

    assert force.in_force["identify"] == rules(late, hash_salt="pepper")
    assert force.waiting["identify"] == ["traits.at"]
    again = decide(con, rules(at, hash_salt="pepper"))
    assert again.in_force["identify"] == rules(hash_salt="pepper")


def test_what_is_hidden_stays_so_until_its_table_is_built_anew(
    con: duckdb.DuckDBPyConnection,
) -> None:
    hiding = rules({"path": "traits.email", "hash": True}, hash_salt="pepper")
    keep(con, Force(dict.fromkeys(CALLS, hiding)))

    for wanted in (NO_RULES, rules({"path": "traits.email", "hash": True}, hash_salt="salt")):
        force = decide(con, wanted)
        assert force.in_force["identify"] == hiding
        assert "hash_salt" in force.waiting["identify"]


def test_a_json_column_does_not_show_what_a_rule_that_is_new_hides(
    con: duckdb.DuckDBPyConnection,
) -> None:
    whole = rules({"path": "traits.cart", "json": True})
    keep(con, Force(dict.fromkeys(CALLS, whole)))

    force = decide(con, rules({"path": "traits.cart.card", "hash": True}))

    assert force.in_force["identify"] == whole
    assert force.waiting["identify"] == ["traits.cart.card", "traits.cart"]


def test_numbers_and_patterns_that_change_nothing_yet_are_in_force_at_once(
    con: duckdb.DuckDBPyConnection,
) -> None:
    wanted = rules(
        max_columns=500, max_columns_of_event=20, refuse_fields=["traits.junk*"], max_events=3
    )

    assert decide(con, wanted) == Force(dict.fromkeys(CALLS, wanted))
    few = rules(
        max_columns_of_event=1,
        allow_fields=["*.email"],
        refuse_events=["Test *"],
        context_columns="seen",
    )
    force = decide(con, few)
    names = ["allow_fields", "refuse_fields", "max_columns", "max_columns_of_event"]
    assert force.waiting == {"identify": names, "track": names}


def test_a_table_that_holds_nothing_can_be_left_out_at_once(
    con: duckdb.DuckDBPyConnection,
) -> None:
    force = decide(con, rules(leave_out_tables=["page", "track"]))

    assert force.waiting == {"track": ["leave_out_tables"]}
    assert force.in_force["page"].leave_out_tables == ("page", "track")


def test_a_column_that_is_there_and_empty_keeps_its_type_until_the_table_is_built_anew(
    con: duckdb.DuckDBPyConnection,
) -> None:
    rows = "update segment.identify set _seamline_load_id = "

    with changed(con, rows + "0", rows + "1"):
        force = decide(con, rules({"path": "traits.at", "type": "timestamp"}))

    assert force.waiting.keys() == {"identify", "track"}


def test_what_is_not_listed_may_be_anything(con: duckdb.DuckDBPyConnection) -> None:
    paths = "update raw.field set path = '%s' where path = '%s' and call = 'track'"

    with changed(con, paths % ("", "traits.email"), paths % ("traits.email", "")):
        force = decide(con, rules({"path": "context.ip", "hash": True}))

    assert force.waiting == {"track": ["context.ip"]}


def test_a_command_puts_rules_in_force_for_the_tables_alone_that_it_builds(
    con: duckdb.DuckDBPyConnection,
) -> None:
    wanted = rules({"path": "traits.late", "type": "timestamp"})

    force = decide(con, wanted, built=("track",))

    assert [call for call in CALLS if force.in_force[call] == wanted] == ["track"]
    assert force.waiting == {}


def test_rules_of_a_table_that_is_built_anew_come_with_it_and_are_forgotten_if_it_is_not(
    con: duckdb.DuckDBPyConnection,
) -> None:
    wanted = rules({"path": "traits.at", "type": "timestamp"})

    force = decide(con, wanted, built=("track",), is_anew=True)

    assert force.coming == {"track": wanted}
    assert force.of_tables()["track"] == wanted
    assert force.of_tables()["identify"] == force.in_force["track"] == NO_RULES
    assert decide(con, wanted).coming == {}
    assert decide(con, wanted).of_tables()["track"] == NO_RULES


def test_a_table_that_is_not_there_yet_goes_by_what_is_said(
    con: duckdb.DuckDBPyConnection,
) -> None:
    wanted = rules({"path": "traits.at", "type": "timestamp"})
    name = "alter table segment.%s rename to %s"

    with changed(con, name % ("track", "old"), name % ("old", "track")):
        force = decide(con, wanted)

    assert force.in_force["track"] == wanted
    assert force.waiting.keys() == {"identify"}


def test_the_rules_of_an_earlier_version_are_those_of_all_tables_and_know_no_limit_for_events(
    con: duckdb.DuckDBPyConnection,
) -> None:
    con.execute("delete from columns.rules")
    assert {one.max_columns_of_event for one in rules_in_force(con).values()} == {MOST_COLUMNS}
    con.execute("""insert into columns.rules (rules) values ('{"hash_salt": "pepper"}')""")

    old = rules_in_force(con)

    assert old == dict.fromkeys(CALLS, rules(hash_salt="pepper", max_columns_of_event=MOST_COLUMNS))


def test_fields_are_placed_by_the_rules_of_their_table(con: duckdb.DuckDBPyConnection) -> None:
    said = {"path": "traits.at", "type": "timestamp"}

    update_placement(con, "segment", rules(said), {"track": NO_RULES})

    assert con.execute(
        "select call, column_type from columns.placement where path = 'traits.at' order by call"
    ).fetchall() == [("identify", "timestamp"), ("track", "varchar")]


def test_a_line_names_the_rules_that_wait_but_not_all_of_very_many() -> None:
    waiting = {"track": [f"properties.p{n}" for n in range(9)], "page": ["max_columns"]}

    assert in_a_line(waiting) == (
        "page (max_columns); track (properties.p0, properties.p1, properties.p2, properties.p3, "
        "properties.p4, …)"
    )
