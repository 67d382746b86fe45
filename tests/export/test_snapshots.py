"""What is exported of a table is of one moment, whatever happens to it meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestration.erasure.purge import sweep
from orchestration.export.changes import Changes
from orchestration.export.errors import ExportFailedError
from orchestration.export.places import Folder
from orchestration.export.postgres import Target
from orchestration.export.run import export_parquet
from orchestration.warehouse.writer_lock import writer_lock
from tests.export.database import Database
from tests.export.support import NOTHING, Done, Exports
from tests.export.test_parquet import Folders
from tests.support.house import House


@pytest.fixture
def folders(own_house: House, prepared_house: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """What exports to a folder by which something may happen."""
    folders = Folders(own_house.move_in(prepared_house))
    monkeypatch.setattr("orchestration.export.run.place_of", lambda path, *_: Eventful(path))
    return folders


class Eventful(Folder):
    """A folder; behind each file that is written something happens, as often as it is asked."""

    happenings: list[Callable[[], object]] = []  # noqa: RUF012 - each test has its own

    def fill(self, name: str, make: Any) -> None:
        """Write, and let happen what comes next."""
        super().fill(name, make)
        if self.happenings:
            self.happenings.pop(0)()


def _move(exports: Exports) -> None:
    """An earlier copy of `b` is loaded, of a day that has been written."""
    exports.run(
        "update segment.track set _sdc_received_at = $1 where message_id = 'b'",
        "2026-11-21 11:00:00",
    )


def _erase(exports: Exports, message_id: str = "b") -> None:
    """As `forget` does: only the snapshot without it stays, and its files."""
    exports.remove(message_id)
    with writer_lock(exports.house.settings):
        sweep(exports.house.settings)


def test_a_row_that_moves_meanwhile_is_in_one_file(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.put("a", 21)
    folders.put("b", 22)
    before = folders.table()
    monkeypatch.setattr(Eventful, "happenings", [lambda: _move(folders)])

    assert folders.export() == Done(rows=2, parts=2)

    assert folders.table() != before
    assert folders.exported() == before
    assert folders.export() == Done(rows=2, parts=1, gone=1)
    assert folders.exported() == folders.table()


def test_an_erasure_meanwhile_has_the_table_begun_anew(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message_id, day in (("a", 21), ("b", 22), ("c", 23)):
        folders.put(message_id, day)
    monkeypatch.setattr(Eventful, "happenings", [lambda: _erase(folders)])

    assert folders.export() == Done(rows=2, parts=2)

    assert folders.days().keys() == {"2026-11-21", "2026-11-23"}
    assert folders.exported() == folders.table()
    assert folders.export() == NOTHING


@pytest.mark.long
def test_what_is_never_let_finish_is_left_to_the_next_export(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ("a", "b", "c", "d")
    for day, message_id in enumerate(ids, start=20):
        folders.put(message_id, day)
    happenings = [lambda one=one: _erase(folders, one) for one in ids[1:]]
    monkeypatch.setattr(Eventful, "happenings", happenings)

    with pytest.raises(ExportFailedError, match=r"^Not exported: track\. The snapshot .*expired"):
        list(export_parquet(folders.settings, ["track"]))

    assert not happenings
    folders.export()
    assert folders.exported() == folders.table()


def _portions_of_one_row(monkeypatch: pytest.MonkeyPatch, behind: Callable[[], object]) -> None:
    """Have an export write in several transactions; something happens behind the first."""
    portions, exchange = Changes.portions, Target._exchange  # noqa: SLF001 - where it happens
    happenings = [behind]

    def exchange_and_more(self: Target, *arguments: Any) -> None:
        exchange(self, *arguments)
        if happenings:
            happenings.pop()()

    monkeypatch.setattr(Changes, "portions", lambda self: portions(self, 1))
    monkeypatch.setattr(Target, "_exchange", exchange_and_more)


@pytest.mark.scale
def test_a_row_that_moves_meanwhile_is_once_in_postgresql(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.put("a", 21)
    database.put("b", 22)
    before = database.table()
    _portions_of_one_row(monkeypatch, lambda: _move(database))

    assert database.export() == Done(rows=2, parts=2)

    assert database.table() != before
    assert database.exported() == before
    database.export()
    assert database.exported() == database.table()


@pytest.mark.scale
def test_an_erasure_meanwhile_leaves_no_hour_of_postgresql_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for message_id, day in (("a", 21), ("b", 22), ("c", 23)):
        database.put(message_id, day)
    _portions_of_one_row(monkeypatch, lambda: _erase(database))

    database.export()

    assert database.exported() == database.table()
    assert database.export() == NOTHING
