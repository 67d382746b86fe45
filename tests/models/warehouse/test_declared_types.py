"""A declared type and values of any other: each relation is there, and shows every value."""

from itertools import permutations
from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House

VALUES: dict[str, Any] = {
    "text": "much",
    "whole": 39,
    "fraction": 1.5,
    "long": 2**53 + 1,
    "switch": True,
    "list": [1],
}
DECLARED = {
    "string": "VARCHAR",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "json": "JSON",
}
PAIRS = list(permutations(VALUES, 2))
FIELDS = {
    f"{declared}_{number:02d}": declared for declared in DECLARED for number in range(len(PAIRS))
}
"""Name of a property or trait, with a pair of values each, and the type that is said of it."""

MODELS = "stg_segment__track track tracks event_relation stg_segment__identify identify identifies"


def sent(place: int) -> dict[str, Any]:
    """What each field has in the first event, or in the second."""
    return {name: VALUES[PAIRS[int(name[-2:])][place]] for name in FIELDS}


@pytest.fixture(scope="module")
def house(built_house: House) -> House:
    """Two events, and two calls of a user, with each pair of types under each type that is said."""
    rules = "".join(
        f"  - {{path: {where}.{name}, {'json: true' if kind == 'json' else f'type: {kind}'}}}\n"
        for where in ("properties", "traits")
        for name, kind in FIELDS.items()
    )
    (built_house.folder / "columns.yml").write_text(f"max_columns: 5000\nfields:\n{rules}")
    for place in (0, 1):
        track = {"type": "track", "event": "Fine", "properties": sent(place)}
        traits = {"type": "identify", "userId": "kim", "traits": sent(place)}
        built_house.land("track", landed.line(track, message_id=f"t{place}"))
        built_house.land("identify", landed.line(traits, message_id=f"i{place}"))
    other = {"type": "track", "event": "Of Another", "properties": {"z": 1}}
    built_house.land("track", landed.line(other, message_id="z", source="app"))
    built_house.load()
    built_house.dbt("run", "--select", *MODELS.split(), "users")
    return built_house


@pytest.mark.long
@pytest.mark.parametrize(
    ("relation", "rows"), [("fine", 2), ("identifies", 2), ("users", 1), ("of_another", 1)]
)
def test_a_relation_shows_each_value_and_the_declared_column_has_its_type(
    house: House, relation: str, rows: int
) -> None:
    found = house.rows(f"select * from segment_warehouse.{relation} order by id")
    columns = house.rows(f"describe segment_warehouse.{relation}")

    assert len(found) == rows
    if relation == "of_another":
        return
    types = {name: kind for name, kind, *_ in columns}
    for name, declared in FIELDS.items():
        assert types.get(name, DECLARED[declared]) == DECLARED[declared]
        for place, row in enumerate(found):
            own = [
                value
                for (column, *_), value in zip(columns, row, strict=True)
                if column.startswith(name) and value is not None
            ]
            # in `users` there are the latest of each column
            assert len(own) == 1 if rows == 2 else own, (name, PAIRS[int(name[-2:])][place])
