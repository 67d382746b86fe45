"""Keys of any script, and keys that are called alike, have columns of their own, in every call."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import TABLES, House

pytestmark = pytest.mark.timeout(600)

PLAIN = {
    "größe": "größe",
    "grüße": "grüße",
    "Prix à payer": "prix_à_payer",
    "Τιμή": "τιμή",
    "ΟΔΟΣ": "οδος",
    "Цена 1": "цена_1",
    "Имя 1": "имя_1",
    "מחיר": "מחיר",
    "السعر": "السعر",
    "कीमत": "कीमत",
    "कीमती": "कीमती",
    "ราคา น้ำ": "ราคา_น้ำ",
    "注文ID": "注文_id",
    "ラーメン": "ラーメン",
    "주문 번호": "주문_번호",
    "🛒 items": "items",
    "🛒": "u1f6d2",
    "caf\N{LATIN SMALL LETTER E WITH ACUTE}": "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "userName": "user_name",
    "a-b": "a_b",
}
"""Keys that come first, and their names."""

MEETING = {
    "cafe\N{COMBINING ACUTE ACCENT}": "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
    "οδος": "οδος",
    "\N{RIGHT-TO-LEFT MARK}מחיר": "מחיר",
    "user_name": "user_name",
    "a_b": "a_b",
    "A B": "a_b",
}
"""Keys that come later and would be called the same."""

KEYS = [*PLAIN, *MEETING]
EVENTS = [[*PLAIN], KEYS, [*MEETING]]
"""The keys of each event of a call."""

BAGS = dict.fromkeys(("page", "screen", "track"), "properties")
BAGS |= dict.fromkeys(("alias", "group", "identify"), "traits")
RELATIONS = {
    "alias": "aliases",
    "group": "groups",
    "identify": "identifies",
    "page": "pages",
    "screen": "screens",
    "track": '"größe_gewählt"',
}
LATEST = {"group": "accounts", "identify": "users"}
MODELS = {
    "alias": ("alias", "aliases"),
    "group": ("group", "groups", "accounts"),
    "identify": ("identify", "identifies", "users"),
    "page": ("page", "pages"),
    "screen": ("screen", "screens"),
    "track": ("track", "tracks"),
}
"""The tables and views of each call."""
FEW = ("group", "track")
"""Macros make all six alike: one with a view of the latest traits, one with views of its events."""
NAMES_RUN = ("stg_segment__track", "track", "tracks", "event_relation", "child_table")


def named(call: str, key: str, prefix: str = "") -> str:
    """The name of a key's column."""
    if key in PLAIN:
        return prefix + PLAIN[key]
    path = f"{BAGS[call]}.{key}" if " " not in key else f'{BAGS[call]}."{key}"'
    return f"{prefix}{MEETING[key]}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def value(number: int, key: str) -> int:
    return 100 * number + KEYS.index(key)


def event(call: str, number: int, keys: list[str]) -> bytes:
    bag: dict[str, Any] = {key: value(number, key) for key in keys}
    bag["Artikel"] = [{key: value(number, key) for key in keys}]
    payload = {
        "type": call,
        "messageId": f"{call}-{number}",
        "userId": "u",
        "groupId": "g",
        "event": "Größe gewählt",
        BAGS[call]: bag,
    }
    return landed.line(payload, received_at=f"2026-11-22T05:00:0{number}.000000Z")


@dataclass
class Sent:
    """A house, and the calls that were sent to it."""

    house: House
    calls: tuple[str, ...]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(FEW, id="two calls"),
        pytest.param(TABLES, id="all calls", marks=pytest.mark.long),
    ],
)
def sent(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, prepared_house: Path
) -> Sent:
    house = House(tmp_path_factory.mktemp("sent")).move_in(prepared_house)
    calls = request.param
    for call in calls:
        house.land(call, *(event(call, number, keys) for number, keys in enumerate(EVENTS, 1)))
    house.load()
    models = [name for call in calls for name in (f"stg_segment__{call}", *MODELS[call])]
    house.dbt("run", "--select", *models, "event_relation", "child_table")
    return Sent(house, calls)


def values(house: House, relation: str, names: list[str], order: str) -> list[list[int | None]]:
    columns = ", ".join(f'"{name}"' for name in names)
    rows = house.rows(f"select {columns} from {relation} order by {order}")
    return [list(row) for row in rows]


EXPECTED = [
    [value(number, key) if key in keys else None for key in KEYS]
    for number, keys in enumerate(EVENTS, 1)
]


def test_every_key_of_an_event_has_a_column_with_its_value(sent: Sent) -> None:
    for call in sent.calls:
        columns = [named(call, key, f"{BAGS[call]}__") for key in KEYS]

        assert values(sent.house, f'segment."{call}"', columns, "message_id") == EXPECTED, call


def test_the_relations_of_segment_warehouses_have_all_of_them_too(sent: Sent) -> None:
    for call in sent.calls:
        columns = [named(call, key) for key in KEYS]
        relation = f"segment_warehouse.{RELATIONS[call]}"

        assert values(sent.house, relation, columns, "id") == EXPECTED, call
        if call in LATEST:
            latest = [value(3 if key in MEETING else 2, key) for key in KEYS]
            relation = f"segment_warehouse.{LATEST[call]}"
            assert values(sent.house, relation, columns, "id") == [latest], call


def test_the_elements_of_an_array_have_them_too(sent: Sent) -> None:
    def name(key: str) -> str:
        path = f"properties.Artikel[].{key}" if " " not in key else f'properties.Artikel[]."{key}"'
        ending = "" if key in PLAIN else f"_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
        return (PLAIN | MEETING)[key] + ending

    found = values(
        sent.house,
        "segment.track__properties__artikel",
        [name(key) for key in KEYS],
        "_sdc_source_key_message_id",
    )
    assert found == EXPECTED


def test_names_can_be_typed_without_quotes(sent: Sent) -> None:
    rows = sent.house.rows(
        "select größe, цена_1, ราคา_น้ำ, 注文_id from segment_warehouse.größe_gewählt limit 1"
    )

    assert len(rows[0]) == 4


def test_verify_finds_nothing_wrong(sent: Sent) -> None:
    assert sent.house.problems() == []


def as_an_earlier_version_had_it(house: House, column: str, keys: list[str]) -> None:
    """Let some keys of track have one column, with the value of the first that is there."""
    columns = ", ".join(f'"{named("track", key, "properties__")}"' for key in keys)
    first, *others = columns.split(", ")
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute(f"update segment.track set {first} = coalesce({columns})")
        if first != f'"{column}"':
            con.execute(f'alter table segment.track rename {first} to "{column}"')
        for other in others:
            con.execute(f"alter table segment.track drop {other}")
        con.execute(
            "update columns.placement set column_name = $1 where table_name = 'track' "
            "and keys[2] in (select unnest($2)) and keys[1] = 'properties'",
            [column, keys],
        )
        con.execute("update columns.placed set digest = 'of an earlier version'")


def rows_of(house: House) -> tuple[list[str], list[tuple[Any, ...]]]:
    names = sorted(
        name for (name,) in house.rows("select column_name from (describe segment.track)")
    )
    columns = ", ".join(f'"{name}"' for name in names)
    return names, house.rows(f"select {columns} from segment.track order by message_id")


@pytest.mark.long
def test_columns_of_an_earlier_version_are_renamed_and_what_was_shared_is_told_apart(
    sent: Sent,
) -> None:
    made = rows_of(sent.house)
    as_an_earlier_version_had_it(sent.house, "properties__prix_payer", ["Prix à payer"])
    as_an_earlier_version_had_it(sent.house, "properties__gr_e", ["größe", "grüße"])
    as_an_earlier_version_had_it(sent.house, "properties__1", ["Цена 1", "Имя 1"])
    as_an_earlier_version_had_it(sent.house, "properties__a_b", ["a-b", "a_b", "A B"])
    assert rows_of(sent.house) != made

    said = sent.house.dbt("run", "--select", *NAMES_RUN)

    assert "7 columns of all rows" in said
    assert rows_of(sent.house) == made
    assert sent.house.problems() == []
    assert sent.house.rows("from columns.to_fill") == []  # so the next run reads nothing again
    sent.house.dbt("run", "--select", "stg_segment__track", "track", "--full-refresh")
    assert rows_of(sent.house) == made
