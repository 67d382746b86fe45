"""Whoever waits for the writer in vain is told who that is."""

import json
import os
from pathlib import Path
from threading import Event, Thread

import pytest

from orchestration.settings import Settings
from orchestration.warehouse import writer_lock
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import NotTheWriterError
from orchestration.warehouse.file_lock import file_lock
from orchestration.warehouse.locks import TURN, WRITER
from orchestration.warehouse.writer_lock import WriterBusyError, is_held
from tests.support.processes import eventually


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    return settings.model_copy(update={"lock_seconds": 0.1})


def wait_in_vain(settings: Settings) -> str:
    with pytest.raises(WriterBusyError) as busy, writer_lock.writer_lock(settings):
        pass
    return str(busy.value)


def test_the_holder_is_named_with_its_process_its_command_and_since_when(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/.venv/bin/dbt", "run", "--full-refresh"])
    with writer_lock.writer_lock(impatient):
        pass
    signature = json.loads((impatient.catalog.parent / "writer.lock").read_text())
    other = file_lock(impatient)
    with other:
        said = wait_in_vain(impatient)

    assert f"dbt run, process {os.getpid()}, since {signature['since']}" in said


def test_a_lock_that_says_nothing_is_named_by_its_file(impatient: Settings) -> None:
    other = file_lock(impatient)
    with other:
        said = wait_in_vain(impatient)

    assert f"it holds {impatient.catalog.parent / 'writer.lock'}" in said


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["/x/orchestration/__main__.py", "forget", "--user-id=ann"], "orchestration forget"),
        (["/x/bin/dagster", "api", "grpc"], "dagster api"),
        (["/x/own_script.py", "ann"], "own_script.py"),
        (["/x/bin/dbt", "--quiet", "run"], "dbt"),
        (["-c"], "-c"),
        ([""], "python"),
    ],
)
def test_a_command_is_named_without_what_may_name_a_person(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch, arguments: list[str], command: str
) -> None:
    monkeypatch.setattr("sys.argv", arguments)
    with writer_lock.writer_lock(impatient):
        signature = json.loads((impatient.catalog.parent / "writer.lock").read_text())

    assert signature["command"] == command


def test_the_writer_stays_the_writer_until_its_outermost_block_ends(impatient: Settings) -> None:
    with writer_lock.writer_lock(impatient):
        with writer_lock.writer_lock(impatient):
            pass
        assert is_held(impatient)
    assert not is_held(impatient)


def test_who_waits_is_next_though_another_writes_again_and_again(settings: Settings) -> None:
    """Each time the other gives it back it wants it again at once, as a run that stays does."""
    waits, has, is_over = Event(), Event(), Event()

    def wait() -> None:
        waits.set()
        with writer_lock.writer_lock(settings):
            has.set()
            is_over.wait(60)

    other = Thread(target=wait)
    with writer_lock.writer_lock(settings):
        other.start()
        assert waits.wait(60)
        assert eventually(lambda: is_held(settings, TURN))
        assert not has.is_set()
    impatient = settings.model_copy(update={"lock_seconds": 0.01})
    while not has.is_set():
        # never in between: nobody is let past who waits
        with pytest.raises(WriterBusyError), writer_lock.writer_lock(impatient):
            pass
    is_over.set()
    other.join()
    with writer_lock.writer_lock(settings):
        assert not is_held(settings, TURN)


def test_a_writer_that_cannot_sign_goes_on(
    impatient: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", disk_full)
    with writer_lock.writer_lock(impatient):
        assert is_held(impatient)


def test_a_connection_for_writing_wants_the_lock_and_without_it_makes_nothing(
    settings: Settings,
) -> None:
    with pytest.raises(NotTheWriterError, match="Nothing was opened or made"):
        connect(settings)

    assert not catalog_of(settings).exists()
    assert not settings.data.exists()


def test_the_lock_of_another_thread_or_process_is_not_ours(settings: Settings) -> None:
    other = catalog_of(settings).new_lock(WRITER)
    other.acquire(1)
    with pytest.raises(NotTheWriterError):
        connect(settings)
    other.release()


def test_with_the_lock_it_writes_and_without_it_others_still_read(settings: Settings) -> None:
    with writer_lock.writer_lock(settings), connect(settings) as con:
        con.execute("create table main.one as select 1 as x")

    with connect(settings, read_only=True) as con:
        assert con.execute("from main.one").fetchall() == [(1,)]
