"""Beside the files stands which load took them: the ledger's twin, for when it is lost."""

from pathlib import Path

import pytest

from orchestration.loading import journal as loads
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading


def _land(settings: Settings, message_id: str) -> Path:
    return landed.land(settings.landing, "track", landed.line({"messageId": message_id}))


def _journal(settings: Settings) -> list[loads.JournaledLoad]:
    return [load for part in loads.journaled(settings.landing) for load in part]


def test_every_load_is_in_the_journal_as_it_is_in_the_ledger(settings: Settings) -> None:
    for message_id in ("a", "b"):
        _land(settings, message_id)
        load(settings)

    with reading(settings) as con:
        ledger = con.execute(
            "select load_id, loaded_at, call || '/' || file, sha256 from raw.landed_file "
            "order by load_id"
        ).fetchall()
    assert [
        (one.load_id, one.loaded_at.replace(tzinfo=None), *file)
        for one in _journal(settings)
        for file in one.files.items()
    ] == ledger


def test_what_a_death_behind_the_commit_left_out_is_added_by_the_next_load(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _land(settings, "a")
    monkeypatch.setattr(loads, "_append", _fails)
    with pytest.raises(OSError, match="died"):
        load(settings)
    monkeypatch.undo()
    assert path.exists()
    assert not _journal(settings)

    load(settings)

    assert [list(one.files) for one in _journal(settings)] == [[f"track/{path.name}"]]


def test_half_a_line_at_the_end_is_written_anew(settings: Settings) -> None:
    for message_id in ("a", "b"):
        _land(settings, message_id)
        load(settings)
    (journal,) = (settings.landing / loads.FOLDER).glob("*.ndjson")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-10])
    assert loads.last_load(settings.landing) == 1

    load(settings)

    assert journal.read_bytes() == whole


def test_a_load_never_gets_the_number_of_another(settings: Settings) -> None:
    for message_id in ("a", "b"):
        _land(settings, message_id)
        load(settings)

    assert [one.load_id for one in _journal(settings)] == [1, 2]


def test_only_its_owner_can_read_it(settings: Settings) -> None:
    _land(settings, "a")
    load(settings)

    folder = settings.landing / loads.FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]


def _fails(*_: object) -> None:
    raise OSError("died")
