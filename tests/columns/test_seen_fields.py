"""With whom a field came is asked only where it matters, and the answer is the same."""

import random

import duckdb
import pyarrow as pa
import pytest

from orchestration.columns.placement import Fact
from orchestration.columns.placing import place
from orchestration.columns.seen_fields import SeenFields
from orchestration.loading.field_paths import ITEM, path_text
from tests.columns.placing import rules

SAID = [
    rules(sources={"a": {"max_columns": 7}, "b": {"max_columns": 3}}),
    rules({"path": "properties.p1", "type": "double"}, sources={"a": {"max_columns": 9}}),
    rules(events={"E1": {"refuse_fields": ["properties.p?", "*.list"]}}, max_columns_of_event=4),
    rules(allow_fields=["properties.*"], sources={"a": {"max_columns_of_event": 2}}),
]


@pytest.mark.parametrize("seed", range(12))
def test_fields_are_placed_as_if_all_was_asked_of_every_event(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same in each run
    facts = {}
    for number in range(150):
        key = f"p{chance.randrange(14)}"
        keys = chance.choice(
            [("properties", key), ("context", key), ("properties", "list", ITEM, key)]
        )
        kind = chance.choice(["bigint", "string", "bigint"])
        if chance.random() < 0.1:
            keys, kind = ("properties", "list"), "array"
        event = None if keys[0] == "context" else f"E{chance.randrange(6)}"
        first = number // 4, "f", number % 4
        fact = Fact(keys, kind, first, chance.choice("ab"), event)
        facts.setdefault((keys, kind, fact.source, event), fact)
    asked = chance.choice(SAID)
    con = _warehouse(list(facts.values()))

    for last_load in (None, 20):
        every = [one for one in facts.values() if last_load is None or one.first[0] <= last_load]
        placed = SeenFields(con).place("track", asked, last_load)
        of_every_event = place("track", every, asked)
        assert placed.placements == of_every_event.placements
        assert placed.bringers == of_every_event.bringers


def _warehouse(facts: list[Fact]) -> duckdb.DuckDBPyConnection:
    """The two tables that are read, with these facts and nothing placed yet."""
    con = duckdb.connect()
    con.execute("create schema raw; create schema columns")
    con.execute(
        "create table columns.placement "
        "(call varchar, path varchar, type varchar, status varchar, sibling_since_load bigint)"
    )
    rows = [
        {
            "source": one.source,
            "call": "track",
            "event": one.event,
            "path": path_text(one.keys),
            "keys": one.keys,
            "type": one.type,
            **dict(zip(("first_load_id", "first_file", "first_line"), one.first, strict=True)),
        }
        for one in facts
    ]
    con.register("facts", pa.Table.from_pylist(rows))
    con.execute("create table raw.field as from facts")
    return con
