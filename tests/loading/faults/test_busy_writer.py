"""F24: somebody holds the writer's lock. A load says so and loses nothing; the next catches up."""

import os
from collections.abc import Iterator

import duckdb
import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse import connection
from tests.support.faults.killed_loads import Child, Sent, ledger_faults, waiting
from tests.support.faults.load_children import (
    hold_the_writer_lock,
    load_once_it_may,
    lock_the_catalog,
)
from tests.support.forked import run_command


@pytest.fixture
def holder(settings: Settings) -> Iterator[Child]:
    """A process that is the writer and does not end."""
    child = Child(hold_the_writer_lock, settings)
    yield child
    child.kill()


def test_a_load_that_may_not_write_fails_in_one_line_and_the_next_loads_everything(
    settings: Settings, sent: Sent, holder: Child
) -> None:
    sent.land(3)

    loading = run_command(["load"], os.environ | {"SEAMLINE_LOCK_SECONDS": "0.5"})

    assert loading.returncode == 1
    assert len(loading.stderr.splitlines()) == 1
    assert "SEAMLINE_LOCK_SECONDS" in loading.stderr
    assert waiting(settings) == set(sent.files)

    holder.kill()
    load(settings)

    assert waiting(settings) == set()
    assert sent.missing() == {}


@pytest.mark.long
def test_a_load_waits_for_the_writer_before_it_and_goes_on_when_that_one_dies(
    settings: Settings, sent: Sent, holder: Child
) -> None:
    """The kernel frees the place at once: no minute passes, and nobody has to remove a file."""
    sent.land(3)
    child = Child(load_once_it_may, settings)
    assert child.told() == "waits"
    assert waiting(settings) == set(sent.files)

    holder.kill()

    child.ends(settings.lock_seconds / 10)
    assert sent.missing() == {}


def test_a_catalog_that_another_program_has_locked_fails_the_load_and_loses_nothing(
    settings: Settings, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as SQLite's own prompt, which knows nothing of the writer's lock."""
    load(settings)
    sent.land(3)
    options = connection.attach_options
    monkeypatch.setattr(
        connection, "attach_options", lambda of: options(of) | {"meta_busy_timeout": 200}
    )
    other = Child(lock_the_catalog, settings)

    with pytest.raises(duckdb.Error, match="locked"):
        load(settings)

    assert ledger_faults(settings) == {}
    assert waiting(settings) == set(sent.files)

    other.kill()
    load(settings)

    assert sent.missing() == {}
