"""Fields that come with later loads: columns appear, and nothing that was there changes."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]

TABLES = ("track", "identify")
MODELS = ("stg_segment__track+", "stg_segment__identify+", "field", "column_change")
NEEDING_ALL = ("marts", "conflict", "segment_loads", "segment_delivery")
"""They read the tables of all calls."""
SCHEMAS = ("segment", "segment_warehouse")


def copy(call: str, number: int, second: int, bag: dict[str, Any], **more: Any) -> bytes:
    """A received copy of a message, with properties or traits."""
    payload = {
        "type": call,
        "messageId": f"{call}-{number}",
        "userId": f"u{number}",
        "event": f"Event {number % 3}",
        "traits" if call == "identify" else "properties": bag,
        **more,
    }
    return landed.line(payload, received_at=f"2026-11-22T05:00:{second:02d}.{number:06d}Z")


BIG = 2**53 + 1
NUMBERS: dict[int, dict[str, Any]] = {
    3: {"whole": 39, "mixed": "text", "fraction": 0.5, "list": [1, BIG], "items": [{"n": BIG}]},
    4: {"whole": BIG, "mixed": 39, "fraction": 5, "list": [2], "items": [{"n": 7}, {"n": 8}]},
    5: {"whole": -BIG, "mixed": BIG, "fraction": BIG},
}
"""What some of the first messages have beside; `fraction` is double from the first on."""
LATER = {"whole": 39.95, "mixed": 39.95, "fraction": -BIG, "list": [2, 0.5], "items": [{"n": 0.5}]}


@dataclass
class Tables:
    """Everything people see, by column name; and the type of each column."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    types: dict[str, dict[str, str]] = field(default_factory=dict)


def snapshot(house: House) -> Tables:
    found = Tables()
    with reading(house.settings) as con:
        relations = con.execute(
            "select * from (select schema_name, table_name from duckdb_tables() "
            "union all select schema_name, view_name from duckdb_views()) "
            "where schema_name in (select unnest($1))",
            [list(SCHEMAS)],
        ).fetchall()
        for schema, name in relations:
            table = f'{schema}."{name}"'
            answer = con.execute(f"from {table}")
            names = [column for column, *_ in answer.description]
            rows = [dict(sorted(zip(names, row, strict=True))) for row in answer.fetchall()]
            found.rows[table] = sorted(rows, key=repr)
            found.types[table] = {column: str(kind) for column, kind, *_ in answer.description}
    return found


@dataclass
class History:
    """The tables after each step."""

    steps: list[Tables] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)


FIRST, SECOND, NOTHING_NEW, FULL_REFRESH = range(4)


@pytest.fixture(scope="module")
def history(house: House) -> History:
    """Two loads, each run; a run with nothing new; everything anew from raw."""
    history = History()

    def run(*arguments: str) -> None:
        house.load()
        house.dbt("run", "--select", *MODELS, "--exclude", *NEEDING_ALL, *arguments)
        history.steps.append(snapshot(house))
        history.snapshots.append(house.snapshots())

    for call in TABLES:
        house.land(
            call,
            *(
                copy(call, n, 20, {"price": 1.5, "size": n, "tags": ["a"], **NUMBERS.get(n, {})})
                for n in range(20)
            ),
            *(copy(call, n, 30, {"price": 2, "size": -1}) for n in range(20)),  # later copies
        )
    run()
    for call in TABLES:  # another type, new fields, a name that folds to one that is there
        bags: list[dict[str, Any]] = [
            {"price": "expensive", "size": "XL", "Price": 7, "box": {"w": 1}},
            {"price": 3, "size": 2.5, "tags": "none", "box": "flat", **LATER},
            {"size": True, "tags": [{"name": "b"}], "box": {"w": "wide", "5": 5}},
        ]
        house.land(call, *(copy(call, n, 40, bags[(n - 20) % 3], email="x") for n in range(20, 50)))
        house.land(  # copies of messages that are there: one received before, the others after
            call,
            copy(call, 0, 10, {"price": 0.5, "early": True}),
            *(copy(call, n, 50, {"size": "again"}) for n in range(1, 20)),
        )
    run()
    run()
    run("--full-refresh")
    return history


def test_built_in_increments_or_in_one_go_the_rows_are_the_same(history: History) -> None:
    """Of every table and view, row by row, by the columns' names."""
    increments, anew = history.steps[NOTHING_NEW], history.steps[FULL_REFRESH]

    assert increments.types == anew.types
    for table, rows in increments.rows.items():
        assert rows == anew.rows[table], table


def test_a_column_keeps_its_type_and_its_rows_when_others_come(history: History) -> None:
    """But that whole numbers become doubles."""
    first, second = history.steps[FIRST], history.steps[SECOND]
    widen = ("users", "event_0", "event_1", "event_2")
    for table in first.types.keys() - {f'segment_warehouse."{name}"' for name in widen}:
        for column, kind in first.types[table].items():
            assert second.types[table][column] in {kind, "DOUBLE" if kind == "BIGINT" else kind}
    for table in TABLES:
        before = {row["message_id"]: row for row in first.rows[f'segment."{table}"']}
        after = {row["message_id"]: row for row in second.rows[f'segment."{table}"']}
        for key in set(before) - {f"{table}-{n}" for n in (0, *NUMBERS)}:
            assert before[key].items() <= after[key].items()


def test_a_column_of_a_relation_that_became_another_type_is_listed_and_no_other(
    history: History,
) -> None:
    name = 'segment."column_change"'
    first, second = (history.steps[step] for step in (FIRST, SECOND))

    assert first.rows[name] == []
    listed = {
        (f'{row["schema_name"]}."{row["table_name"]}"', row["column_name"]): row
        for row in second.rows[name]
    }
    changed = {
        (table, column): (kind.lower(), second.types[table][column].lower())
        for table in first.types.keys() & second.types.keys()
        for column, kind in first.types[table].items()
        if column in second.types[table] and kind != second.types[table][column]
    }
    assert {key: (row["old_type"], row["new_type"]) for key, row in listed.items()} == changed
    assert ('segment_warehouse."users"', "size") in changed
    assert ('segment_warehouse."event_0"', "size") in changed


@pytest.mark.parametrize(("table", "bag"), [("track", "properties"), ("identify", "traits")])
def test_new_types_and_new_fields_have_columns(history: History, table: str, bag: str) -> None:
    types = history.steps[SECOND].types[f'segment."{table}"']

    assert {
        f"{bag}__price": "DOUBLE",
        f"{bag}__price__string": "VARCHAR",
        f"{bag}__size": "DOUBLE",
        f"{bag}__size__boolean": "BOOLEAN",
        f"{bag}__size__string": "VARCHAR",
        f"{bag}__tags": "JSON",
        f"{bag}__tags__string": "VARCHAR",
        f"{bag}__box": "VARCHAR",
        f"{bag}__box__json": "JSON",
        f"{bag}__box__w": "BIGINT",
        f"{bag}__box__w__string": "VARCHAR",
        "email": "VARCHAR",
    }.items() <= types.items()


@pytest.mark.parametrize(("table", "bag"), [("track", "properties"), ("identify", "traits")])
def test_each_value_is_in_the_column_of_its_type(history: History, table: str, bag: str) -> None:
    rows = {row["message_id"]: row for row in history.steps[SECOND].rows[f'segment."{table}"']}
    names = ("price", "price__string", "size", "size__boolean", "size__string")
    of_price = hashlib.sha256(f"{bag}.Price".encode()).hexdigest()[:8]
    assert rows[f"{table}-20"][f"{bag}__price_{of_price}"] == 7
    names += ("tags", "tags__string", "box", "box__json", "box__w", "box__w__string")

    def values(number: int) -> dict[str, Any]:
        row = rows[f"{table}-{number}"]
        found = {name: row[f"{bag}__{name}"] for name in names}
        return {name: value for name, value in found.items() if value is not None}

    assert values(20) == {
        "price__string": "expensive",
        "size__string": "XL",
        "box__w": 1,
    }
    assert values(21) == {"price": 3.0, "size": 2.5, "tags__string": "none", "box": "flat"}
    assert values(22) == {
        "size__boolean": True,
        "tags": '[{"name":"b"}]',
        "box__w__string": "wide",
        "box__json": '{"w":"wide","5":5}',
    }
    assert values(0) == {"price": 0.5}


@pytest.mark.parametrize(("table", "bag"), [("track", "properties"), ("identify", "traits")])
@pytest.mark.parametrize(
    ("column", "text", "values", "digits"),
    [
        ("whole", "whole__string", {3: 39, 21: 39.95}, {4: BIG, 5: -BIG}),
        ("mixed__bigint", "mixed", {4: 39, 21: 39.95}, {3: "text", 5: BIG}),
        ("fraction", "fraction__string", {3: 0.5, 4: 5}, {5: BIG, 21: -BIG}),
    ],
)
def test_numbers_are_in_one_column_and_keep_the_digits_that_a_double_does_not_hold(
    history: History, table: str, bag: str, column: str, text: str,
    values: dict[int, float], digits: dict[int, Any],
) -> None:  # fmt: skip
    found = history.steps[SECOND]
    rows = {row["message_id"]: row for row in found.rows[f'segment."{table}"']}

    assert found.types[f'segment."{table}"'][f"{bag}__{column}"] == "DOUBLE"
    assert not [name for name in found.types[f'segment."{table}"'] if name.endswith("__double")]
    for number, value in values.items():
        assert rows[f"{table}-{number}"][f"{bag}__{column}"] == value
    for number, value in digits.items():
        assert rows[f"{table}-{number}"][f"{bag}__{text}"] == str(value)
        assert rows[f"{table}-{number}"][f"{bag}__{column}"] is None


def test_so_they_are_in_child_tables(history: History) -> None:
    def numbers(table: str, column: str) -> set[tuple[Any, ...]]:
        rows = history.steps[SECOND].rows[f'segment."identify__traits__{table}"']
        return {(row[column], row[f"{column}__string"]) for row in rows}

    assert numbers("list", "value") == {(1, None), (None, str(BIG)), (2, None), (0.5, None)}
    assert numbers("items", "n") == {(None, str(BIG)), (7, None), (8, None), (0.5, None)}


def test_a_child_table_has_the_columns_of_later_elements(history: History) -> None:
    rows = history.steps[SECOND].rows['segment."track__properties__tags"']

    assert {(row["value"], row["name"]) for row in rows} == {("a", None), (None, "b")}


def test_a_new_event_has_its_relation_at_the_next_run(history: History) -> None:
    assert 'segment_warehouse."event_1"' in history.steps[FIRST].rows


def test_a_run_with_nothing_new_writes_nothing(history: History) -> None:
    assert history.snapshots[NOTHING_NEW] == history.snapshots[SECOND]


def test_found_columns_say_where_they_come_from(history: History, house: House) -> None:
    assert history.steps
    ((comment,),) = house.rows(
        "select comment from duckdb_columns() where schema_name = 'segment' "
        "and table_name = 'track' and column_name = 'properties__price__string'"
    )

    assert "properties.price" in comment
