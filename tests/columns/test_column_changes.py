"""A change of a column that people query is listed, and stays listed."""

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from orchestration.columns.changes import MOST_OF_A_COLUMN, listed_changes
from orchestration.columns.rules import ColumnRules
from orchestration.columns.update import (
    changes_of,
    create_column_tables,
    take_over_changes,
    update_placement,
)
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed

NAMES = "table_name, relation, column_name, old_name, old_type, new_type"


def placed(column: str, kind: str, *, table: str = "track", path: str = "p", of: str = "") -> Any:
    names = {"table_name": table, "path": path, "type": of or kind, "column_name": column}
    return names | {"column_type": kind, "sibling_name": None, "sibling_type": None}


def shown(column: str, name: str, kind: str | None, relation: str = "order_completed") -> Any:
    return {
        "call": "track", "relation": relation, "column_name": column, "name": name, "type": kind
    }  # fmt: skip


def changes(*steps: tuple[list[Any], list[Any]]) -> list[tuple[Any, ...]]:
    """What is listed after these states of the columns, each rows of placements and shown ones."""
    types = {
        "placement": placed("", ""),
        "shown_column": shown("", "", ""),
        "column_change": ["changed_at", *NAMES.split(", ")],
    }
    schemas = {
        name: pa.schema([(one, "timestamp[us]" if "_at" in one else "string") for one in columns])
        for name, columns in types.items()
    }
    with duckdb.connect() as con:
        con.execute("create schema columns")

        def replace(name: str, rows: Iterable[Any]) -> pa.Table:
            con.register("rows", pa.Table.from_pylist(list(rows), schemas[name]))
            con.execute(f"create or replace table columns.{name} as from rows")

        for name in schemas:
            replace(name, [])
        for placements, columns in steps:
            now = {"placement": placements, "shown_column": columns}
            tables = [pa.Table.from_pylist(rows, schemas[name]) for name, rows in now.items()]
            listed = listed_changes(con, *tables)
            for name, rows in (now | {"column_change": listed}).items():
                replace(name, rows)
        query = f"select {NAMES} from columns.column_change order by changed_at, {NAMES}"
        return con.execute(query).fetchall()


def test_what_is_there_from_the_beginning_or_comes_is_no_change() -> None:
    one = [placed("properties__a", "bigint")]
    two = [*one, placed("properties__b", "double", path="b")]
    relation = [shown("properties__a", "a", "bigint")]

    assert changes((one, relation), (one, relation), (two, relation), (two, [])) == []


def test_a_column_of_a_table_that_widens_is_listed_and_so_is_each_relation_that_shows_it() -> None:
    """Both types of the field are in the one column then."""
    whole = [placed("properties__price", "bigint")]
    widened = [placed("properties__price", "double", of=of) for of in ("bigint", "double")]
    before = [shown("properties__price", "price", "bigint", of) for of in ("bought", "viewed")]
    after = [shown("properties__price", "price", "double", "bought"), before[1]]

    assert changes((whole, before), (widened, after), (widened, after)) == [
        ("track", None, "properties__price", "properties__price", "bigint", "double"),
        (None, "bought", "price", "price", "bigint", "double"),
    ]


def test_a_column_whose_values_are_in_another_now_is_listed_under_that_one() -> None:
    apart = [
        placed("properties__price", "bigint"),
        placed("properties__price__double", "double"),
    ]
    widened = [placed("properties__price", "double", of=of) for of in ("bigint", "double")]

    assert changes((apart, []), (widened, [])) == [
        ("track", None, "properties__price", "properties__price", "bigint", "double"),
        ("track", None, "properties__price", "properties__price__double", "double", "double"),
    ]


def test_a_column_that_is_called_otherwise_is_listed_with_its_old_name() -> None:
    """And so is that of its relation, which finds it by the field."""
    old = [placed("properties__gr_e", "varchar")], [shown("properties__gr_e", "gr_e", "varchar")]
    new = [placed("properties__größe", "varchar")], [shown("properties__größe", "größe", "varchar")]

    assert changes(old, new) == [
        ("track", None, "properties__größe", "properties__gr_e", "varchar", "varchar"),
        (None, "order_completed", "größe", "gr_e", "varchar", "varchar"),
    ]


def test_what_an_earlier_version_did_not_say_of_a_relation_is_no_change() -> None:
    one = [placed("properties__a", "bigint")]

    assert changes(
        (one, [shown("properties__a", "a", None)]), (one, [shown("properties__a", "a", "bigint")])
    ) == []  # fmt: skip


def test_what_is_listed_goes_with_its_column() -> None:
    """An erasure takes columns away that are called by an id: their names are nowhere then."""
    of = {"path": "traits.kim", "table": "identify"}
    before = [placed("traits__kim", "bigint", **of)]
    after = [placed("traits__kim", "double", **of)]

    assert len(changes((before, []), (after, []))) == 1
    assert changes((before, []), (after, []), ([], [])) == []


def test_of_each_column_the_last_changes_stay_however_many_others_have() -> None:
    kinds = ["bigint", "double"] * MOST_OF_A_COLUMN
    steps = []
    for number, kind in enumerate(kinds):
        quiet = placed("properties__quiet", "double" if number else "bigint", path="q")
        steps.append(([placed("properties__loud", kind), quiet], []))

    listed = changes(*steps)

    loud = [(old, new) for _, _, name, _, old, new in listed if name == "properties__loud"]
    assert loud == list(pairwise(kinds))[-MOST_OF_A_COLUMN:]
    assert [one for one in listed if one[2] == "properties__quiet"] == [
        ("track", None, "properties__quiet", "properties__quiet", "bigint", "double")
    ]


@pytest.mark.long
@pytest.mark.usefixtures("made_warehouse")
def test_a_change_is_listed_with_the_load_that_makes_it(settings: Settings) -> None:
    def send(call: str, **event: Any) -> None:
        landed.land(settings.landing, call, landed.line(json.dumps(event), message_id="m"))
        load(settings)

    with writer_lock(settings), connect(settings) as con:
        create_column_tables(con)
    for value in (5, "many"):
        send("track", event="Bought", properties={"price": value})
        send("identify", userId="u", traits={"seats": value})
        with writer_lock(settings), connect(settings) as con:
            update_placement(con, "segment", ColumnRules())
            changed = con.execute(
                f"select {NAMES} from columns.column_change order by 2"
            ).fetchall()

    assert changed == [
        (None, "bought", "price", "price", "bigint", "varchar"),
        (None, "users", "seats", "seats", "bigint", "varchar"),
    ]


@pytest.mark.usefixtures("made_warehouse")
def test_a_warehouse_that_is_made_anew_lists_what_the_one_before_it_did(
    settings: Settings,
) -> None:
    change = dict.fromkeys(NAMES.split(", "), "x") | {"changed_at": None}
    with writer_lock(settings), connect(settings) as con:
        assert changes_of(con) == []

        take_over_changes(con, [change])

        assert changes_of(con) == [change]
