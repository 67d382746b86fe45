"""The writer's lock in PostgreSQL: one writer on whatever machine, and none that has lost it."""

import os
import re
import socket
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
import psycopg
import pytest

from orchestration.durable_files import NewFiles
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse import transaction as transactions
from orchestration.warehouse.advisory_lock import AdvisoryLock
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import (
    LockLostError,
)
from orchestration.warehouse.locks import WRITER
from orchestration.warehouse.writer_lock import (
    WriterBusyError,
    held_here,
    is_held,
    writer_lock,
)
from tests.support.house import House
from tests.support.postgres import Server
from tests.support.processes import eventually
from tests.warehouse.postgres_houses import ids_in, land, waiting, with_password

pytestmark = pytest.mark.scale


@pytest.fixture
def impatient(made_warehouse: Settings) -> Settings:
    return made_warehouse.model_copy(update={"lock_seconds": 0.1})


def end_session(server: Server) -> None:
    """As a server does that restarts, or a network that fails, with the session of a lock."""
    with server.session() as con:
        ended = con.execute(
            "select pg_terminate_backend(pid, 10000) from pg_locks where locktype = 'advisory'"
        ).fetchall()
    assert ended == [(True,)]


def test_who_waits_in_vain_is_told_which_command_on_which_machine_writes(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/.venv/bin/dbt", "run", "--full-refresh"])
    monkeypatch.setattr("socket.gethostname", lambda: "loader-2")
    other = catalog_of(impatient).new_lock(WRITER)
    other.acquire(1)

    with pytest.raises(WriterBusyError) as busy, writer_lock(impatient):
        pass

    other.release()
    named = rf"dbt run, {os.getpid()}@loader-2, since \d{{8}}T\d{{6}}Z"
    assert re.search(named, str(busy.value))


def test_a_long_name_of_a_machine_leaves_the_time_in_its_place(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "ünlöader." * 20)
    with writer_lock(impatient):
        said = catalog_of(impatient).lock(WRITER).holder()

    assert re.search(r", since \d{8}T\d{6}Z", said)


def test_who_waits_is_next_though_another_writes_again_and_again(settings: Settings) -> None:
    waits, has, is_over = Event(), Event(), Event()

    def wait() -> None:
        waits.set()
        with writer_lock(settings):
            has.set()
            is_over.wait(60)

    other = Thread(target=wait)
    with writer_lock(settings):
        other.start()
        assert waits.wait(60)
        assert eventually(lambda: someone_waits(settings))
        assert not has.is_set()
    impatient = settings.model_copy(update={"lock_seconds": 0.01})
    while not has.is_set():
        with pytest.raises(WriterBusyError), writer_lock(impatient):
            pass
    is_over.set()
    other.join()
    assert not is_held(settings)


def someone_waits(settings: Settings) -> bool:
    with psycopg.connect(settings.postgres or "", autocommit=True) as con:
        found = con.execute("select 1 from pg_locks where locktype = 'advisory' and not granted")
        return found.fetchone() is not None


def test_a_writer_that_pauses_lets_another_in_and_is_the_writer_again(settings: Settings) -> None:
    with writer_lock(settings) as writer:
        with writer.pause():
            other = catalog_of(settings).new_lock(WRITER)
            other.acquire(5)
            other.release()
        assert is_held(settings)
    assert not is_held(settings)


def test_warehouses_of_one_database_have_each_their_own_lock_and_tables(
    impatient: Settings, tmp_path: Path
) -> None:
    neighbour = House(tmp_path / "neighbour").settings
    land(impatient, "a")
    load(impatient)
    with writer_lock(impatient):
        load(neighbour)

    assert ids_in(impatient) == ["a"]
    assert ids_in(neighbour) == []


def test_a_server_that_ends_idle_sessions_leaves_a_writer_its_lock(
    made_warehouse: Settings, postgres: Server
) -> None:
    land(made_warehouse, "a")
    with postgres.session() as con:
        con.execute("alter database lake set idle_session_timeout = '200ms'")
    try:
        with writer_lock(made_warehouse) as writer:
            time.sleep(0.5)
            writer.lock.check()
            load(made_warehouse)
    finally:
        with postgres.session() as con:
            con.execute("alter database lake reset idle_session_timeout")
    assert ids_in(made_warehouse) == ["a"]


def test_a_servers_limit_for_statements_does_not_end_the_wait_for_the_lock(
    made_warehouse: Settings, postgres: Server
) -> None:
    catalog = catalog_of(made_warehouse)
    with postgres.session() as con:
        con.execute("alter database lake set statement_timeout = '200ms'")
    try:
        holder, waiter = catalog.new_lock(WRITER), catalog.new_lock(WRITER)
        holder.acquire(5)
        with pytest.raises(TimeoutError):
            waiter.acquire(0.6)
        holder.release()
    finally:
        with postgres.session() as con:
            con.execute("alter database lake reset statement_timeout")


def test_who_is_to_wait_a_century_gets_the_lock(made_warehouse: Settings) -> None:
    with writer_lock(made_warehouse.model_copy(update={"lock_seconds": 36_525 * 86_400.0})):
        assert is_held(made_warehouse)


def test_a_server_whose_machine_is_gone_is_given_up_within_half_a_minute(
    own_house: House, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[psycopg.Connection[Any]] = []
    open_one = psycopg.connect

    def seen(*arguments: Any, **options: Any) -> psycopg.Connection[Any]:
        opened.append(open_one(*arguments, **options))
        return opened[-1]

    monkeypatch.setattr("psycopg.connect", seen)
    lock = catalog_of(with_password(own_house, postgres).settings).new_lock(WRITER)
    lock.acquire(5)
    with socket.socket(fileno=os.dup(opened[-1].fileno())) as its:
        assert its.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
    lock.release()


# --- a writer whose lock is lost commits nothing


def test_a_lock_that_is_lost_before_a_commit_leaves_nothing_and_the_file_waits(
    made_warehouse: Settings, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(made_warehouse, "a")
    sync = NewFiles.sync

    def sync_and_lose(files: Any) -> None:
        sync(files)
        if held_here():
            monkeypatch.undo()
            end_session(postgres)

    monkeypatch.setattr(NewFiles, "sync", sync_and_lose)
    with pytest.raises(LockLostError, match="nothing was committed"):
        load(made_warehouse)

    assert (ids_in(made_warehouse), waiting(made_warehouse)) == ([], 1)
    load(made_warehouse)
    assert (ids_in(made_warehouse), waiting(made_warehouse)) == (["a"], 0)


def test_two_writers_at_once_as_one_has_lost_its_lock_load_each_file_once(
    made_warehouse: Settings, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look at the lock is over, then it is lost, and another loads the same."""
    land(made_warehouse, "a", "b")
    check = AdvisoryLock.check
    checks: list[int] = []

    def check_then_be_overtaken(lock: AdvisoryLock) -> None:
        check(lock)
        checks.append(1)
        if len(checks) == 2:
            monkeypatch.undo()
            end_session(postgres)
            other = Thread(target=load, args=[made_warehouse])
            other.start()
            other.join()

    monkeypatch.setattr(AdvisoryLock, "check", check_then_be_overtaken)
    with pytest.raises(duckdb.Error):
        load(made_warehouse)

    assert ids_in(made_warehouse) == ["a", "b"]
    load(made_warehouse)
    assert (ids_in(made_warehouse), waiting(made_warehouse)) == (["a", "b"], 0)


def test_a_writer_that_lost_its_lock_before_a_transaction_reads_nothing_in_it(
    made_warehouse: Settings, postgres: Server
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        end_session(postgres)
        with pytest.raises(LockLostError), transactions.transaction(con):
            raise AssertionError("it began")
