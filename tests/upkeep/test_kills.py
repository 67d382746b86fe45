"""Upkeep that is killed at any moment changes no row and loses no file; the next one finishes."""

import random
from datetime import timedelta

import pytest

from orchestration.settings import Settings
from orchestration.upkeep import orphans
from orchestration.upkeep.keep_small import keep_small
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.faults.steps import kill_at
from tests.support.small_files import all_hashes, files, listed_and_missing, load_events

SETUP = """
from datetime import timedelta
from tests.support.warehouse import spare_the_processor
spare_the_processor()
from orchestration.settings import Settings
from orchestration.upkeep.keep_small import keep_small
from orchestration.upkeep import short_locks
short_locks.PAUSE_SECONDS = 0
settings = Settings().model_copy(update={"query_hours": 1e-9})
"""
WORK = "keep_small(settings, timedelta(days=10_000))"
STEPS = 100
"""It takes some more for what two loads leave."""
UPKEEP = f"{SETUP}\n{WORK}"


def load_some(settings: Settings, number: int) -> None:
    """What upkeep finds to do."""
    load_events(settings, 1_000 + 5 * number)
    load_events(settings, 5_000 + 5 * number)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.chaos)])
def test_killed_at_any_step(small_lake: Settings, kills: int, chance: random.Random) -> None:
    for number in range(kills):
        load_some(small_lake, number)
        before = all_hashes(small_lake)

        kill_at(chance.randrange(STEPS), SETUP, WORK)

        assert all_hashes(small_lake) == before
        assert listed_and_missing(small_lake) == []

    before = all_hashes(small_lake)
    soon = small_lake.model_copy(update={"query_hours": 1e-9})
    keep_small(soon, timedelta(days=10_000))
    keep_small(soon, timedelta(days=10_000))
    with writer_lock(small_lake), connect(small_lake) as con:
        orphans.remove(con, timedelta(0))
        rows = con.execute(
            "select parse_filename(path) from __ducklake_metadata_seamline.ducklake_data_file"
        ).fetchall()
    assert {path.name for path in files(small_lake)} == {name for (name,) in rows}
    assert all_hashes(small_lake) == before
