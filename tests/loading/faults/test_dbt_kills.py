"""F12: dbt is killed. Each model is as before or after, and the next run brings it up to date."""

import random
import time
from typing import Any

import pytest

from orchestration.warehouse import writer_lock
from tests.support import landed
from tests.support.faults.killed_loads import Child, forms
from tests.support.faults.load_children import run_models
from tests.support.faults.report import Report
from tests.support.house import House
from tests.support.warehouse import reading

pytestmark = pytest.mark.timeout(900)

CALLS = ("track", "identify")
MODELS = ("stg_segment__track", "stg_segment__identify", *CALLS, "tracks", "identifies")
EVENTS = 200

Rows = dict[str, frozenset[Any]]


def land(house: House, load: int) -> None:
    """New events with a new field, and later and earlier copies of those before."""
    for call in CALLS:
        lines = []
        for number in range((load + 1) * EVENTS):
            is_new = number >= load * EVENTS
            if not is_new and number % 10:
                continue
            payload = {"type": call, "messageId": f"{call}-{number}", f"field_{load}": number}
            second = 10 if is_new else 10 + load * (1 if number % 20 else -1) % 60
            lines.append(
                landed.line(payload, received_at=f"2026-11-22T05:{second:02d}:00.{number:06d}Z")
            )
        house.land(call, *lines)
    house.load()


def rows(house: House) -> Rows:
    """Of each final table, its rows as messages with the copy that each is."""
    with reading(house.settings) as con:
        return {
            call: frozenset(
                con.execute(
                    f'select message_id, _seamline_file, _seamline_line from segment."{call}"'
                ).fetchall()
            )
            for call in CALLS
        }


def recomputed(house: House) -> Rows:
    """The same from the raw tables: of each message the first received copy."""
    with reading(house.settings) as con:
        return {
            call: frozenset(
                con.execute(
                    f"""
                    select message_id, file, line from raw."{call}"
                    qualify row_number() over (
                        partition by message_id order by received_at, file, line
                    ) = 1
                    """
                ).fetchall()
            )
            for call in CALLS
        }


def left_over(house: House) -> list[str]:
    """Relations that dbt makes on its way and takes away again."""
    with reading(house.settings) as con:
        found = con.execute(
            "select name from (select table_name as name from duckdb_tables() "
            "union all select view_name from duckdb_views()) where contains(name, '__dbt_')"
        ).fetchall()
    return [name for (name,) in found]


def tables(house: House) -> list[list[tuple[Any, ...]]]:
    """Every column of every row."""
    return [house.rows(f"select * from segment.{call} order by message_id") for call in CALLS]


def start(house: House, **flags: str) -> Child:
    """Begin a run of the models; return once it is the writer."""
    child = Child(run_models, house.environment | flags, MODELS)
    deadline = time.monotonic() + 60
    while not writer_lock.is_held(house.settings):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


@pytest.mark.long
@forms(short=2, long=50, minutes=30)
def test_killed_at_any_moment_each_model_is_as_before_or_after_and_the_next_run_is_right(
    house: House, report: Report, kills: int
) -> None:
    chance = random.Random(10 + kills)  # noqa: S311
    land(house, 0)
    assert start(house).ends() == []
    land(house, 1)
    child, started = start(house), time.monotonic()
    assert child.ends() == []
    seconds = time.monotonic() - started
    changed = 0
    for kill in range(kills):
        land(house, 2 + kill)
        before, after = rows(house), recomputed(house)
        child = start(house)
        time.sleep(chance.uniform(0.3, 1.1) * seconds)
        child.kill(group=True)

        found = rows(house)
        assert all(found[call] in (before[call], after[call]) for call in CALLS)
        changed += sum(found[call] == after[call] for call in CALLS)
    assert start(house).ends() == []
    assert left_over(house) == []
    assert rows(house) == recomputed(house)

    built = tables(house)
    assert start(house, DBT_FULL_REFRESH="true").ends() == []
    assert tables(house) == built
    assert kills < 50 or 0 < changed < len(CALLS) * kills
    report.add(
        "F12",
        "kill -9 of dbt",
        kills=kills,
        models_done_before=changed,
        models_not_done=2 * kills - changed,
        half_done=0,
    )
