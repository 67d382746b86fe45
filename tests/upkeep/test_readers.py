"""People query while upkeep rewrites, expires and removes: no error, and no row missing."""

import os
import subprocess
import sys
from datetime import timedelta

import duckdb
import pytest

from landed.settings import ROOT
from orchestration.settings import Settings
from orchestration.upkeep import parquet_files, snapshots
from orchestration.upkeep.keep_small import keep_small
from orchestration.upkeep.parquet_files import File, Table
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.small_files import LOADS, load_events

ROUNDS = 4

READER = """
import select, sys
from orchestration.warehouse.connection import connect
from orchestration.settings import Settings
query = "select count(*), count(distinct message_id), max(load_id) from raw.track"
most = 0
with connect(Settings(), read_only=True) as con:
    print("begins", flush=True)
    while True:
        asked = select.select([sys.stdin], [], [], 0.02)[0] and sys.stdin.readline()
        rows, ids, load = con.execute(query).fetchone()
        if rows != 5 * load or ids != rows or load < most:
            sys.exit(f"{rows} rows, {ids} ids after load {load}, and {most} before it")
        most = load
        if asked == "stop\\n":
            break
        if asked:
            print("has read", flush=True)
print(most, flush=True)
"""
"""Reads all the time; whenever it is asked to, it says that a read that it began then is done."""


def start_reader() -> subprocess.Popen[str]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER], cwd=ROOT, env=os.environ, text=True, bufsize=1, **pipes
    )
    assert reader.stdout is not None
    assert reader.stdout.readline() == "begins\n"
    return reader


def all_read(readers: list[subprocess.Popen[str]]) -> None:
    """Wait until whatever each of them had begun to read by now is read, and a new read too."""
    for reader in readers:
        assert reader.stdin is not None
        reader.stdin.write("read\n")
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "has read\n", reader.communicate()


def let_time_pass(settings: Settings) -> None:
    """Make everything that the catalog knows older than a query may be."""
    with writer_lock(settings), connect(settings) as con:
        for table, column in (
            ("ducklake_snapshot", "snapshot_time"),
            ("ducklake_files_scheduled_for_deletion", "schedule_start"),
        ):
            con.execute(
                f"update __ducklake_metadata_seamline.{table} "
                f"set {column} = ({column}::timestamptz - interval 2 hours)::varchar"
            )


@pytest.mark.long
def test_a_reader_in_a_loop_sees_whole_loads_and_no_error(
    small_lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each load brings five tracks, so rows and load numbers have to agree in every answer."""
    readers = [start_reader() for _ in range(2)]

    rewrite_once, remove_unlisted = parquet_files.rewrite_once, snapshots.remove_unlisted_files

    def rewrite(con: duckdb.DuckDBPyConnection, table: Table) -> list[File]:
        files = rewrite_once(con, table)
        if table.name == "track":
            all_read(readers)
        return files

    def remove(con: duckdb.DuckDBPyConnection, age: timedelta) -> int:
        all_read(readers)  # after the expiry
        return remove_unlisted(con, age)

    monkeypatch.setattr(parquet_files, "rewrite_once", rewrite)
    monkeypatch.setattr(snapshots, "remove_unlisted_files", remove)
    removed = 0
    for number in range(ROUNDS):
        load_events(small_lake, 1_000 + 5 * number)
        removed += keep_small(small_lake, timedelta(hours=1)).expired.files_removed
        all_read(readers)
        let_time_pass(small_lake)

    assert removed > 0
    for reader in readers:
        said, complaint = reader.communicate("stop\n", timeout=60)
        assert reader.returncode == 0, complaint
        assert int(said) == LOADS + ROUNDS
