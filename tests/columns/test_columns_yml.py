"""What the user says of columns: checked, and in force for each table when it is built anew."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestration.columns.columns_yml import ColumnRulesError, read_rules
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House


def written(folder: Path, text: str) -> Path:
    path = folder / "columns.yml"
    path.write_text(text)
    return path


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert read_rules(tmp_path / "columns.yml").fields == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("fields: [{path: properties.price, type: money}]", "fields.0.type"),
        ("fields: [{path: properties.price}]", "exactly one of type, json, leave_out and hash"),
        ("fields: [{path: properties.price, json: true, hash: true}]", "exactly one"),
        ("fields: [{path: '', json: true, extra: 1}]", "extra"),
        ("fields: [{path: properties.price, json: true, tables: [tracks]}]", "fields.0.tables.0"),
        ("fields: [{path: context.ip, type: bigint}]", "documented by Segment"),
        ("fields: [{path: messageId, hash: true}]", "every row needs it"),
        ("fields: [{path: sentAt, leave_out: true}]", "every row needs it"),
        ("fields: [{path: 'properties.products[].email', hash: true}]", "would still show it"),
        ("fields: [{path: integrations.All, hash: true}]", "in the JSON column integrations"),
        (
            "fields: [{path: traits.a, json: true}, {path: traits.a.b, hash: true}]",
            "in the JSON column of traits.a",
        ),
        ("max_columns: 5", "max_columns"),
        ("context_columns: some", "context_columns"),
        ("max_collumns: 500", "max_collumns"),
        ("- a list", "the file"),
        ("fields: [", "expected"),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(ColumnRulesError) as error:
        read_rules(path)

    assert str(path) in str(error.value)
    assert complaint in str(error.value)
    assert "Nothing was changed" in str(error.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# what we say\nmax_columns: 500\nmax_collumns: 500\n", 3),
        ("fields:\n  - path: properties.a\n    type: string\n  - path: b\n    type: money\n", 5),
        ("fields:\n  - {path: properties.a, json: true}\n  - path: properties.price\n", 3),
        ("sources:\n  web:\n    max_columns: 10\n    max_events: many\n", 4),
        ("sources:\n  web:\n    refuse_fields:\n      - properties.a\n      - ''\n", 5),
        ("refuse_events: Test\n", 1),
        ("\n\n- a list", 3),
        ("a: 1\nb: [\n", 3),
    ],
)
def test_the_error_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ColumnRulesError) as error:
        read_rules(written(tmp_path, text))

    assert f"line {line}" in str(error.value)


def test_a_key_with_a_dot_is_written_as_a_list(tmp_path: Path) -> None:
    rules = read_rules(written(tmp_path, "fields: [{path: [properties, a.b], json: true}]"))

    assert rules.of("track", ("properties", "a.b")).is_json
    assert not rules.of("track", ("properties", "a", "b")).is_json


RULES = """
hash_salt: pepper
leave_out_tables: [alias]
context_columns: seen
fields:
  - {path: properties.revenue, type: double}
  - {path: properties.at, type: timestamp}
  - {path: properties.created_at, type: timestamp}
  - {path: properties.cart, json: true}
  - {path: properties.secret, leave_out: true}
  - {path: properties.email, hash: true}
  - {path: context.ip, hash: true, tables: [track]}
"""

EVENT: dict[str, Any] = {
    "type": "track",
    "event": "Paid",
    "properties": {
        "revenue": "39.95",
        "at": "2026-11-22T05:24:46+01:00",
        "cart": {"total": 1, "lines": [{"sku": "a"}]},
        "secret": "x",
        "email": "p@shop.example",
    },
    "context": {"ip": "203.0.113.7"},
}
PRICELESS = {"type": "track", "event": "Paid", "properties": {"revenue": "much", "at": "soon"}}


@pytest.fixture(scope="module")
def house(built_house: House) -> House:
    """A house whose tables are there, without a rule."""
    return built_house


NEW = {"type": "track", "event": "Paid", "properties": {"created_at": "2026-11-22T05:24:46+01:00"}}
TABLES = ("stg_segment__track", "track", "stg_segment__alias", "alias")
RELATIONS = ("identifies", "event_relation", "pages", "users")
TRACK = "select * from segment.track order by message_id"


@pytest.fixture(scope="module")
def outputs(house: House) -> list[str]:
    """What is printed: without rules, with rules, and when tables are built anew one by one."""
    house.land("track", landed.line(EVENT, message_id="a"), landed.line(PRICELESS, message_id="b"))
    house.land("alias", landed.line({"type": "alias", "previousId": "x"}, message_id="c"))
    house.load()
    printed = [house.dbt("run", "--select", *TABLES)]
    written(house.folder, RULES)
    house.land("track", landed.line(NEW, message_id="d"))
    house.load()
    printed.append(house.dbt("run", "--select", *TABLES))
    found = columns(house)
    assert (found["properties__revenue"], found["properties__created_at"]) == (
        "VARCHAR",
        "TIMESTAMP",
    )
    assert house.rows("select count(*) from segment.alias") == [(1,)]
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute("alter table segment.alias add column mine varchar")
    status, half_done = house.try_dbt("run", "--full-refresh", "--select", *TABLES)
    assert status == 1
    printed.append(half_done)
    house.land("track", landed.line(PRICELESS, message_id="e"))
    house.load()
    printed.append(house.dbt("run", "--select", *TABLES, *RELATIONS))
    assert house.rows("select count(*) from segment.alias") == [(1,)]
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute("alter table segment.alias drop column mine")
    printed.append(house.run("replay", "--table", "alias"))
    return printed


def columns(house: House) -> dict[str, str]:
    return {name: kind for name, kind, *_ in house.rows("describe segment.track")}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.long
@pytest.mark.timeout(600)
def test_until_then_each_table_goes_on_as_it_is_and_dbt_says_which_rules_wait_for_what(
    outputs: list[str],
) -> None:
    assert "columns.yml has changed" not in outputs[0]
    said = " ".join(outputs[1].split())
    assert "alias (leave_out_tables)" in said
    waiting = (
        "properties.revenue, properties.at, properties.cart, properties.secret, properties.email, …"
    )
    assert f"track ({waiting})" in said
    assert "`seamline replay --table alias` and `seamline replay --table track`" in said
    assert "columns.yml has changed" not in outputs[2]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_refresh_that_ends_half_way_is_in_force_for_the_tables_it_has_built(
    outputs: list[str],
) -> None:
    said = " ".join(outputs[3].split())
    assert "track (" not in said
    assert "they go on as they are: alias (leave_out_tables)." in said
    assert "columns.yml has changed" not in outputs[4]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_rules_hold_for_all_rows_of_a_table_that_is_built_anew(
    outputs: list[str], house: House
) -> None:
    assert outputs
    found = columns(house)
    rows = house.rows(
        "select message_id, properties__revenue, properties__revenue__string, "
        "strftime(properties__at, '%c'), properties__at__string, properties__cart, "
        "properties__email, context__ip from segment.track where message_id < 'c' order by all"
    )

    assert "properties__secret" not in found
    assert "properties__cart__total" not in found
    assert rows == [
        (
            *("a", 39.95, None, "2026-11-22 04:24:46", None),
            '{"total":1,"lines":[{"sku":"a"}]}',
            *(sha256("pepperp@shop.example"), sha256("pepper203.0.113.7")),
        ),
        ("b", None, "much", None, "soon", None, None, None),
    ]
    assert house.rows("select count(*) from segment.alias") == [(0,)]
    assert house.rows("select count(*) from raw.alias") == [(1,)]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_time_that_was_said_before_its_first_event_is_a_time_with_it(
    outputs: list[str], house: House
) -> None:
    assert outputs
    created_at = "select strftime(properties__created_at, '%c') from segment.track "
    assert house.rows(created_at + "where message_id = 'd'") == [("2026-11-22 04:24:46",)]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_table_that_is_built_anew_again_is_the_same(outputs: list[str], house: House) -> None:
    assert outputs
    before = house.rows(TRACK), columns(house)

    house.dbt("run", "--full-refresh", "--select", "+track")

    assert (house.rows(TRACK), columns(house)) == before


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_is_left_out_or_hashed_is_listed(outputs: list[str], house: House) -> None:
    assert outputs
    rows = house.rows(
        "select path, status, column_type from segment.field "
        "where path in ('properties.secret', 'properties.email', 'properties.cart.total')"
        "order by path"
    )

    assert rows == [
        ("properties.cart.total", "in json", None),
        ("properties.email", "column", "varchar"),
        ("properties.secret", "left out", None),
    ]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("relation", "context"), [("paid", ["context_ip"]), ("pages", []), ("users", [])]
)
def test_context_is_in_relations_as_far_as_it_was_seen(
    outputs: list[str], house: House, relation: str, context: list[str]
) -> None:
    assert outputs
    names = [name for name, *_ in house.rows(f"describe segment_warehouse.{relation}")]

    assert [name for name in names if name.startswith("context_")] == context
    assert "context__ip" in columns(house)
