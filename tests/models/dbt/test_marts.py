"""A user's models are run beside loads: the lock is theirs while they write, and not before."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestration.models import run
from orchestration.models.pending_models import pending
from orchestration.warehouse.connection import connect
from orchestration.warehouse.locks import MARTS
from orchestration.warehouse.writer_lock import is_held, writer_lock
from tests.support import forked, landed
from tests.support.house import House


@contextmanager
def computing(pipe: Path, running: Future[list[str]]) -> Iterator[None]:
    """A block during which the model that reads this pipe is being computed."""
    end = None
    while end is None:
        assert not running.done(), running.result()
        try:
            end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:  # nobody reads yet
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.02)
    try:
        yield
    finally:
        os.write(end, b"1\n")
        os.close(end)


@pytest.mark.long
def test_a_mart_that_is_slow_and_one_that_fails_neither_stop_nor_delay_a_load(
    built_house: House, tmp_path: Path
) -> None:
    house = built_house
    project = tmp_path / "dbt_project"
    shutil.copytree(run.PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    models = {
        "a_slow": ("table", "select message_id from {{ ref('track') }} as t cross join pipe"),
        "b_fails": ("table", "select nope from {{ ref('track') }}"),
        "c_raced": ("incremental", "select b from pipe"),
    }
    for name, (materialized, sql) in models.items():
        os.mkfifo(tmp_path / name)
        pipe = f"read_csv('{tmp_path / name}', columns = {{'b': 'int'}}, auto_detect = false)"
        (project / "models" / "marts" / f"{name}.sql").write_text(
            f"{{{{ config(materialized='{materialized}') }}}}\n"
            f"with pipe as (select b from {pipe}) {sql} -- which waits for the pipe"
        )
    house.land("track", landed.line({"messageId": "before", "type": "track"}))
    house.load()
    house.models("track")

    with ThreadPoolExecutor() as pool:
        running = pool.submit(forked.run_marts, project, models, house.environment)
        with computing(tmp_path / "a_slow", running):
            assert is_held(house.settings, MARTS)
            house.land("track", landed.line({"messageId": "meanwhile", "type": "track"}))
            house.load()
            house.models("track")
            assert house.rows("select count(*) from segment.track") == [(2,)]
        with computing(tmp_path / "c_raced", running):  # noqa: SIM117 - one after the other
            with writer_lock(house.settings), connect(house.settings) as con:
                con.execute("create table segment_marts.c_raced as select 5 as b")
        slow, fails, raced = running.result()

    assert slow == "a_slow success OK"
    assert house.rows("select message_id from segment_marts.a_slow") == [("before",)]
    assert house.rows("select sum(events) from segment_marts.daily_activity") == [(2,)]
    assert fails.startswith("b_fails error")
    assert "c_raced was written by another command while it was computed" in raced
    assert house.rows("select b from segment_marts.c_raced") == [(5,)]
    failing = pending(house.settings).failing
    assert set(failing) == {"model.seamline.b_fails", "model.seamline.c_raced"}
    assert not is_held(house.settings, MARTS)
    assert not is_held(house.settings)
