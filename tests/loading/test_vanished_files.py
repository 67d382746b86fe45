"""A file that goes between the look that lists it and the next fails nothing; all else goes on.

Others take files away: a receiver that seals, an upkeep that packs or expires, a person.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestration.durable_files import NewFiles
from orchestration.erasure import loaded_files
from orchestration.erasure.remaining_ids import search
from orchestration.loading import kept_files, landed_file
from orchestration.loading import load as load_module
from orchestration.loading.archive import Expired, expire, pack_hour, read_archive
from orchestration.loading.kept_files import read_kept
from orchestration.loading.landed_file import LandedFile
from orchestration.loading.load import load, move_to_loaded
from orchestration.loading.people import USER, Id, People
from orchestration.settings import Settings
from receiver.files.backlog import Backlog, standing_of
from tests.support import landed

HOUR = "20261122T05"
ARCHIVE = f"{HOUR}.tar.zst"


def name(number: int) -> str:
    return f"{HOUR}0000000000Z-test-1-00000000-{number:06d}.ndjson"


def land(landing: Path, number: int) -> Path:
    return landed.land(
        landing, "track", landed.line({"messageId": f"m{number}"}), name=name(number)
    )


@pytest.fixture
def gone_from_the_second_look(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, str], None]:
    """Let a file go just before a function of the load is called for the first time."""

    def arrange(path: Path, function: str) -> None:
        original = getattr(load_module, function)

        def first_remove(*arguments: object, **named: object) -> object:
            path.unlink(missing_ok=True)
            return original(*arguments, **named)

        monkeypatch.setattr(load_module, function, first_remove)

    return arrange


@pytest.mark.parametrize("function", ["_sized", "_read"])
def test_a_load_takes_the_others_and_leaves_out_what_was_taken_away(
    made_warehouse: Settings,
    gone_from_the_second_look: Callable[[Path, str], None],
    function: str,
) -> None:
    land(made_warehouse.landing, 1)
    gone_from_the_second_look(land(made_warehouse.landing, 2), function)

    loaded = load(made_warehouse)

    assert (loaded.files, loaded.rows["track"]) == (1, 1)
    assert (made_warehouse.landing / "loaded" / "track" / name(1)).exists()


def test_a_file_that_was_taken_away_while_it_was_loaded_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    move_to_loaded(tmp_path, LandedFile(tmp_path / "track" / name(1), "track"))

    assert name(1) in caplog.text
    assert f"put it into {tmp_path / 'loaded' / 'track'}" in caplog.text


def test_an_erasure_takes_no_heed_of_a_waiting_file_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        landed_file, "sealed_files", lambda _: [LandedFile(tmp_path / name(1), "track")]
    )
    monkeypatch.setattr(loaded_files, "known_checksums", lambda *_: {name(1): "as it was loaded"})

    loaded_files.settle(None, tmp_path)


@pytest.fixture
def loaded(tmp_path: Path) -> Path:
    """A landing folder with two loaded files of an hour."""
    folder = tmp_path / "landing" / "loaded" / "track"
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / name(number)).write_bytes(landed.line({"messageId": f"m{number}"}))
    return tmp_path / "landing"


def checksums(landing: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (landing / "loaded" / "track").iterdir()
    }


def pack(landing: Path) -> Path:
    paths = sorted((landing / "loaded" / "track").iterdir())
    assert pack_hour(landing, "track", HOUR, paths, checksums(landing)) == []
    return landing / "archive" / "track" / ARCHIVE


def test_what_is_there_is_packed_without_what_was_taken_away(loaded: Path) -> None:
    paths = sorted((loaded / "loaded" / "track").iterdir())
    known = checksums(loaded)
    paths[0].unlink()

    strange = pack_hour(loaded, "track", HOUR, paths, known)

    assert strange == []
    assert [name for name, _ in read_archive(loaded / "archive" / "track" / ARCHIVE)] == [name(2)]


def test_an_archive_that_expires_while_it_is_looked_for_has_no_files(
    loaded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = pack(loaded)
    gone.unlink()
    monkeypatch.setattr(kept_files, "archives_of_hour", lambda *_: [gone])

    assert list(read_kept(loaded, [f"track/{name(1)}"])) == []


def test_an_archive_that_was_removed_by_hand_is_not_noted_as_expired(loaded: Path) -> None:
    gone = pack(loaded)
    gone.unlink()

    expire(loaded, "track", gone, lambda *_: ())

    assert Expired(loaded).among([f"track/{ARCHIVE}", f"track/{name(1)}"]) == set()


def test_a_parquet_file_that_was_taken_back_is_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: set[Path]
) -> None:
    new = NewFiles(tmp_path)
    (tmp_path / "there.parquet").touch()
    listed = {str(tmp_path / f"{one}.parquet") for one in ("gone", "there")}
    monkeypatch.setattr(NewFiles, "_files", lambda _: listed)
    new.sync()

    assert synced == {tmp_path / "there.parquet", tmp_path}


def test_the_last_look_for_an_id_goes_on_where_a_folder_goes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster removes the folders of old runs whenever it likes."""
    storage = settings.dagster_home / "storage"
    for folder in ("a", "b", "c"):
        (storage / folder).mkdir(parents=True)
        (storage / folder / "log").write_text("of ann")
    scandir = os.scandir

    def others_removed(path: str | Path) -> Iterator[os.DirEntry[str]]:
        entries = scandir(path)
        if Path(path).parent == storage:
            monkeypatch.setattr(os, "scandir", scandir)
            for other in set(storage.iterdir()) - {Path(path)}:
                shutil.rmtree(other)
        return entries

    monkeypatch.setattr(os, "scandir", others_removed)
    people = People(b"key", ()).knowing([Id(USER, "ann")])

    (found,) = search(settings, people)

    assert Path(found).parent.parent == storage


def test_of_a_landing_folder_that_is_gone_the_metrics_say_that_nothing_is_free(
    tmp_path: Path,
) -> None:
    standing = standing_of(tmp_path / "gone")

    assert standing.free_bytes == 0
    assert set(standing.backlogs.values()) == {Backlog()}


@pytest.fixture(autouse=True)
def _warnings_are_captured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
