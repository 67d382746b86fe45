"""People query while upkeep rewrites, expires and removes: no error, and no row missing."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.upkeep.warehouse import keep_small
from tests.support.small_lake import load_events, soon

ROUNDS = 3

READER = """
import sys
from orchestration.loading.warehouse import connect
from orchestration.settings import Settings
query = "select count(*), count(distinct message_id), max(load_id) from raw.track"
reads, most = 0, 0
with connect(Settings(), read_only=True) as con:
    print("begins", flush=True)
    while True:
        rows, ids, load = con.execute(query).fetchone()
        if rows != 5 * load or ids != rows or load < most:
            sys.exit(f"{rows} rows, {ids} ids after load {load}, and {most} before it")
        reads, most = reads + 1, load
        if load == int(sys.argv[1]):
            break
print(reads, flush=True)
"""


@pytest.mark.long
def test_a_reader_in_a_loop_sees_whole_loads_and_no_error(small_lake: Settings) -> None:
    """Each load brings five tracks, so rows and load numbers have to agree in every answer."""
    last = 12 + 2 * ROUNDS
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(last)],
            cwd=ROOT,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "begins\n"
    # a file is removed a second after the last snapshot that lists it is gone
    quick = soon(small_lake, query_hours=1 / 3600)
    for number in range(2 * ROUNDS):
        load_events(small_lake, 1_000 + 5 * number)
        keep_small(quick, timedelta(seconds=2))

    for reader in readers:
        said, complaint = reader.communicate(timeout=60)
        assert reader.returncode == 0, complaint
        assert int(said) > ROUNDS
