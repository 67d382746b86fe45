"""What the user says of columns: checked, and in force when all tables are built anew."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestration.columns.rules import ColumnRulesError, read_rules
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


@pytest.fixture(scope="module")
def outputs(house: House) -> list[str]:
    """What dbt prints: without rules, with rules, with rules and everything anew."""
    printed = [house.dbt("run", "--select", "stg_segment__alias")]
    house.land("track", landed.line(EVENT, message_id="a"), landed.line(PRICELESS, message_id="b"))
    house.land("alias", landed.line({"type": "alias", "previousId": "x"}, message_id="c"))
    house.load()
    written(house.folder, RULES)
    printed.append(house.dbt("run", "--select", "+track", "+alias"))
    assert columns(house)["properties__revenue"] == "VARCHAR"
    assert house.rows("select count(*) from segment.alias") == [(1,)]
    printed.append(house.dbt("run", "--full-refresh"))
    return printed


def columns(house: House) -> dict[str, str]:
    return {name: kind for name, kind, *_ in house.rows("describe segment.track")}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.timeout(600)
def test_until_then_the_tables_go_on_as_they_are_and_dbt_says_so(outputs: list[str]) -> None:
    assert "columns.yml has changed" not in outputs[0]
    assert "columns.yml has changed" in outputs[1]
    assert "--full-refresh" in outputs[1]
    assert "columns.yml has changed" not in outputs[2]


@pytest.mark.timeout(600)
def test_the_rules_hold_for_all_rows_once_everything_is_built_anew(
    outputs: list[str], house: House
) -> None:
    assert outputs
    found = columns(house)
    rows = house.rows(
        "select message_id, properties__revenue, properties__revenue__string, "
        "strftime(properties__at, '%c'), properties__at__string, properties__cart, "
        "properties__email, context__ip from segment.track order by message_id"
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
