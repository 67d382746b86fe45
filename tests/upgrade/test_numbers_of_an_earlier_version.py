"""A warehouse in which fractions had a column beside whole numbers, and long ones were rounded.

It is made by this version, and then its columns, views and notes by hand what that one left.
"""

import hashlib
from typing import Any

import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

BIG = 2**53 + 1
MODELS = ("stg_segment__track", "track", "event_relation", "child_table")

SENT: list[dict[str, Any]] = [
    {"n": 39, "free": "free", "half": 0.5, "list": [1, BIG], "two_x": 1},
    {"n": BIG, "free": 39, "half": BIG, "items": [{"n": 1}]},
    {"n": -BIG, "free": BIG, "half": 5},
    {"n": 39.95, "free": 39.95, "half": -BIG, "list": [0.5], "items": [{"n": 0.5}]},
    {"n": 0.25, "free": True, "twoX": 7, "two_x": 2.5},
]

OF_TWO = f"properties__two_x_{hashlib.sha256(b'properties.twoX').hexdigest()[:8]}"

AS_IT_WAS = f"""
create or replace table segment.track as
    select * exclude (
        properties__n__string, properties__half__string, properties__free__boolean, {OF_TWO}
    )
    replace (
        coalesce(
            properties__n__string::bigint,
            case when properties__n = trunc(properties__n) then properties__n end::bigint
        ) as properties__n,
        if(properties__free = '{BIG}', null, properties__free) as properties__free,
        case when properties__free = '{BIG}' then {BIG}
            when properties__free__bigint = 39 then 39 end::bigint as properties__free__bigint,
        coalesce(properties__half__string::double, properties__half) as properties__half,
        if(properties__two_x = 2.5, 7, properties__two_x::bigint) as properties__two_x
    ),
    if(properties__two_x = 2.5, 2.5::double, null) as properties__two_x__double,
    case when properties__n <> trunc(properties__n) then properties__n end as properties__n__double,
    case when properties__free__bigint = 39.95 then 39.95::double end as properties__free__double,
    properties__free__boolean
    from segment.track;
update raw.field set type = 'bigint' where type = 'long';
alter table raw.repair drop column fields;
delete from raw.repair;
delete from columns.placed;
delete from columns.placement where type = 'long' and path like 'properties%';
update columns.placement set column_type = 'bigint'
    where regexp_matches(path, '^properties.(n|free|two_x|twoX)$') and type = 'bigint';
update columns.placement set column_name = lower(replace(path, '.', '__')) || '__double'
    where regexp_matches(path, '^properties.(n|free|two_x)$') and type = 'double';
update columns.placement set column_name = 'properties__two_x' where path = 'properties.twoX';
create or replace view segment_warehouse.bought as
    select message_id as id, coalesce(properties__n, properties__n__double) as n
    from segment.track;
update segment_warehouse.event_relation set definition = $$
    select message_id as id, coalesce(properties__n, properties__n__double) as n
    from segment.track
$$ where name = 'bought';
"""


def seen(house: House) -> dict[str, Any]:
    """Columns with their types and rows, of the table, its views and the list of fields."""
    found: dict[str, Any] = {}
    with reading(house.settings) as con:
        for name in (
            "segment.track",
            "segment_warehouse.bought",
            "segment.track__properties__list",
            "segment.track__properties__items",
        ):
            answer = con.execute(f"select * from {name}")
            columns = [(column, str(kind)) for column, kind, *_ in answer.description]
            rows = [
                dict(sorted(zip([name for name, _ in columns], row, strict=True)))
                for row in answer.fetchall()
            ]
            found[name] = (sorted(columns), sorted(rows, key=repr))
        found["raw.field"] = con.execute(
            "select event, path, type, sum(count) from raw.field group by all order by all"
        ).fetchall()
    return found


def run(house: House, *more: str) -> None:
    house.dbt("run", "--select", *MODELS, *more)


def send(house: House, number: int, bag: dict[str, Any]) -> None:
    event = {"event": "Bought", "properties": bag, "messageId": f"m{number}"}
    at = f"2026-11-22T05:00:0{number}.000000Z"
    house.land("track", landed.line(event, received_at=at))


@pytest.fixture(scope="module")
def earlier(built_house: House) -> House:
    for number, bag in enumerate(SENT):
        send(built_house, number, bag)
    built_house.load()
    run(built_house)
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        for statement in AS_IT_WAS.split(";"):
            con.execute(statement)
    return built_house


@pytest.fixture(scope="module")
def upgraded(earlier: House) -> House:
    """After the next load."""
    types = dict(earlier.rows("select column_name, column_type from (describe segment.track)"))
    assert (types["properties__n"], types["properties__n__double"]) == ("BIGINT", "DOUBLE")
    send(earlier, 7, {"n": 1})
    earlier.load()
    run(earlier)
    return earlier


@pytest.mark.long
def test_the_next_load_makes_it_what_a_new_one_is(upgraded: House) -> None:
    after = seen(upgraded)
    run(upgraded, "--full-refresh")
    anew = seen(upgraded)

    assert after == anew
    names = {name for name, _ in after["segment.track"][0]}
    assert not {"properties__n__double", "properties__free__double"} & names
    rows = {row["message_id"]: row for row in after["segment.track"][1]}
    assert [rows[f"m{n}"]["properties__n"] for n in (0, 3, 4, 7)] == [39, 39.95, 0.25, 1]
    assert [rows[f"m{n}"]["properties__n__string"] for n in (1, 2)] == [str(BIG), str(-BIG)]
    assert [rows[f"m{n}"]["properties__half__string"] for n in (1, 3)] == [str(BIG), str(-BIG)]
    assert [rows[f"m{n}"]["properties__half"] for n in range(4)] == [0.5, None, 5, None]
    assert [rows[f"m{n}"]["properties__free__bigint"] for n in (1, 3)] == [39, 39.95]
    assert [rows[f"m{n}"]["properties__two_x"] for n in (0, 4)] == [1, 2.5]
    assert [rows[f"m{n}"]["properties__free"] for n in (0, 2)] == ["free", str(BIG)]


@pytest.mark.long
def test_and_what_a_rebuild_makes_of_the_files(upgraded: House) -> None:
    after = seen(upgraded)
    upgraded.run("rebuild")

    assert seen(upgraded) == after
    assert upgraded.problems() == []
