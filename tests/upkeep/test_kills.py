"""Upkeep that is killed at any moment changes no row and loses no file; the next one finishes."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from orchestration.loading.warehouse import connect
from orchestration.settings import ROOT, Settings
from orchestration.upkeep import orphans
from orchestration.upkeep.warehouse import keep_small
from tests.support.small_lake import all_hashes, files, listed_and_missing, load_events

UPKEEP = """
import sys
from datetime import timedelta
from orchestration.settings import Settings
from orchestration.upkeep.warehouse import keep_small
from orchestration.upkeep import turns
turns.PAUSE_SECONDS = 0
settings = Settings().model_copy(update={"query_hours": 1e-9})
print("begins", flush=True)
keep_small(settings, timedelta(days=10_000))
"""


def _kill_after(seconds: float) -> bool:
    """Start upkeep, kill it so long after its imports, and say whether it was still running."""
    with subprocess.Popen(
        [sys.executable, "-c", UPKEEP], cwd=ROOT, env=os.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begins\n"
        time.sleep(seconds)
        was_running = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return was_running


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.chaos)])
def test_killed_at_random_moments(small_lake: Settings, kills: int) -> None:
    chance = random.Random(kills)  # noqa: S311 - moments, no secrets
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", UPKEEP], cwd=ROOT, check=True)
    whole = time.monotonic() - began
    hit = 0
    for number in range(kills):
        load_events(small_lake, 1_000 + 5 * number)
        load_events(small_lake, 5_000 + 5 * number)
        before = all_hashes(small_lake)

        hit += _kill_after(chance.uniform(0, whole))

        assert all_hashes(small_lake) == before
        assert listed_and_missing(small_lake) == []
    assert hit > 0

    before = all_hashes(small_lake)
    soon = small_lake.model_copy(update={"query_hours": 1e-9})
    keep_small(soon, timedelta(days=10_000))
    keep_small(soon, timedelta(days=10_000))
    with connect(small_lake) as con:
        orphans.remove(con, timedelta(0))
        rows = con.execute(
            "select parse_filename(path) from __ducklake_metadata_seamline.ducklake_data_file"
        ).fetchall()
    assert {path.name for path in files(small_lake)} == {name for (name,) in rows}
    assert all_hashes(small_lake) == before
