"""What the fault tests of the load run in processes that they kill; see killed_loads.

Nothing of pytest in here: each of these processes imports it anew.
"""

import logging
import os
import resource
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock


def load_files(settings: Settings, tell: Connection) -> None:
    """Load what is sealed; tell when it begins, and the process's largest size when it is done."""
    tell.send("begins")
    load(settings)
    tell.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def load_once_it_may(settings: Settings, tell: Connection) -> None:
    """Load what is sealed, and tell when it has to wait, which here is for the writer's lock."""
    sleep = time.sleep

    def told(seconds: float) -> None:
        time.sleep = sleep
        tell.send("waits")
        sleep(seconds)

    time.sleep = told
    load_files(settings, tell)


def load_and_tell(settings: Settings, tell: Connection) -> None:
    """Load what is sealed; with each transaction tell how far it is, and wait to be let go on."""

    def pause(done: int, _: int) -> None:
        tell.send(done)
        tell.recv()

    tell.send("begins")
    load(settings, progress=pause)


def load_and_log(settings: Settings, log: Path, tell: Connection) -> None:
    """Load what is sealed, with what is said of it in a file, a time before each line."""
    logging.basicConfig(
        filename=log, format="%(created)f %(message)s", level=logging.INFO, force=True
    )
    load_files(settings, tell)


def load_again_and_again(settings: Settings, tell: Connection) -> None:
    """Load what is sealed until told to stop; then tell how many files that were."""
    tell.send("begins")
    files = 0
    while not tell.poll(0.05):
        files += load(settings).files
    tell.send(files + load(settings).files)


def run_models(environment: Mapping[str, str], select: tuple[str, ...], tell: Connection) -> None:
    """Run dbt in a process group of its own, in this process, as a run and `make load` do."""
    from orchestration.models import run  # noqa: PLC0415 - seconds, which the forks are spared

    os.setsid()
    os.environ.update(environment)
    tell.send("begins")
    tell.send(run.failures(run.run_models(Settings(), select)))


def hold_the_writer_lock(settings: Settings, tell: Connection) -> None:
    """Take the writer's lock and keep it until told or killed."""
    with writer_lock(settings):
        tell.send("begins")
        tell.recv()


def lock_the_catalog(settings: Settings, tell: Connection) -> None:
    """Begin to write to the catalog as a program that knows nothing of us, until told or killed.

    In a process of its own: SQLite's locks do not hold between two copies of it in one process.
    """
    with closing(sqlite3.connect(settings.catalog)) as catalog:
        catalog.execute("begin immediate")
        tell.send("begins")
        tell.recv()


def keep_the_catalog_open(settings: Settings, tell: Connection) -> None:
    """Read one state of the catalog until killed, so that what comes later stays in its log."""
    with closing(sqlite3.connect(settings.catalog)) as catalog:
        catalog.execute("begin")
        catalog.execute("select count(*) from sqlite_master").fetchall()
        tell.send("begins")
        tell.recv()


def read_in_a_loop(settings: Settings, tell: Connection) -> None:
    """Read the tables as one of many readers until told to stop, then tell what was wrong.

    Everything is asked within one transaction, which shows one state of the warehouse.
    """
    wrong = []
    reads = 0
    with connect(settings, read_only=True) as con:
        tell.send("begins")
        while not tell.poll(0.05):
            con.execute("begin")
            seen = con.execute(_ONE_STATE).fetchall()
            con.execute("commit")
            reads += 1
            for in_ledger, raw, ids, rows in seen:
                if raw != in_ledger or ids != rows:
                    wrong.append(f"ledger {in_ledger}, raw {raw}, final {rows} with {ids} ids")
    tell.send((reads, wrong))


_ONE_STATE = """
    select
        (select coalesce(sum(rows), 0)::bigint from raw.landed_file where call = 'track'),
        (select count(*) from raw.track),
        (select count(distinct message_id) from segment.track),
        (select count(*) from segment.track)
"""
