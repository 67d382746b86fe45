"""F15, F16: copies, weeks apart and in any order, are one row: the first received."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from tests.support import landed
from tests.support.forked import run_models
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

MESSAGES = 100
FIRST_DAY = datetime(2026, 9, 1, tzinfo=UTC)
LATEST_COPY = timedelta(days=60)
LOADS = 2
MODELS = ("stg_segment__track", "track")


def copies_of(number: int, chance: random.Random) -> list[tuple[datetime, bytes]]:
    """One to five copies of a message, received minutes or weeks apart, each told by its note."""
    first = FIRST_DAY + timedelta(days=3) * chance.random()
    times = [first, *(first + LATEST_COPY * chance.random() for _ in range(chance.randrange(5)))]
    return [
        (
            received,
            landed.line(
                {"type": "track", "messageId": f"m{number}", "channel": f"{received:%FT%T.%fZ}"},
                received_at=f"{received:%FT%T.%fZ}",
            ),
        )
        for received in times
    ]


def run_dbt(house: House, **flags: str) -> None:
    run_models(MODELS, house.environment | flags)


@pytest.mark.long
def test_in_whatever_order_copies_come_the_first_received_is_the_row(house: House) -> None:
    chance = random.Random(15)  # noqa: S311
    copies = {number: copies_of(number, chance) for number in range(MESSAGES)}
    lines = [line for of_one in copies.values() for _, line in of_one]
    chance.shuffle(lines)
    for load in range(LOADS):
        house.land("track", *lines[load::LOADS])
        house.load()
        run_dbt(house)
    built = house.rows("select * from segment.track order by message_id")
    run_dbt(house, DBT_FULL_REFRESH="true")

    assert house.rows("select count(*) from raw.track") == [(len(lines),)]
    assert dict(house.rows("select message_id, channel from segment.track")) == {
        f"m{number}": f"{min(received for received, _ in of_one):%FT%T.%fZ}"
        for number, of_one in copies.items()
    }
    assert house.rows("select count(*) from segment.track") == [(MESSAGES,)]
    assert house.rows("select * from segment.track order by message_id") == built
