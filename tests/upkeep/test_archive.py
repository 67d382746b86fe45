"""Loaded files are packed by the hour, proved, and only then removed."""

import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from orchestration.loading import archive
from orchestration.loading.archive import DamagedArchiveError, Expired, read_archive
from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from tests.support import landed

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)


def land(settings: Settings, hour: str, number: int) -> Path:
    return landed.land(
        settings.landing,
        "track",
        landed.line({"messageId": f"{hour} {number}"}),
        name=f"{hour}0000000000Z-test-1-00000000-{number:06d}.ndjson",
    )


def loaded_files(settings: Settings) -> dict[str, bytes]:
    folder = settings.landing / "loaded" / "track"
    return {path.name: path.read_bytes() for path in folder.glob("*.ndjson")}


def archived(settings: Settings) -> dict[str, dict[str, bytes]]:
    folder = settings.landing / "archive" / "track"
    return {path.name: dict(read_archive(path)) for path in sorted(folder.glob("*.tar.zst"))}


@pytest.fixture
def filled(copy_of: Callable[..., Settings]) -> Settings:
    """Two files of one hour, one of the next, one of an hour that has hardly ended."""

    def make(settings: Settings) -> None:
        for hour, number in (("20261122T05", 1), ("20261122T05", 2), ("20261122T06", 3)):
            land(settings, hour, number)
        land(settings, "20261122T07", 4)
        load(settings)

    return copy_of("four-loaded-files", make)


def test_each_hour_that_is_over_is_an_archive_of_its_files(filled: Settings) -> None:
    before = loaded_files(filled)

    done = pack_loaded_files(filled, NOW)

    assert done.files == 3
    now = archived(filled)
    assert {name: len(files) for name, files in now.items()} == {
        "20261122T05.tar.zst": 2,
        "20261122T06.tar.zst": 1,
    }
    left = loaded_files(filled)
    assert list(left) == ["20261122T070000000000Z-test-1-00000000-000004.ndjson"]
    assert {name: data for files in now.values() for name, data in files.items()} | left == before


def test_the_usual_tools_can_read_it(filled: Settings, tmp_path: Path) -> None:
    before = loaded_files(filled)
    pack_loaded_files(filled, NOW)

    packed = (filled.landing / "archive" / "track" / "20261122T06.tar.zst").read_bytes()
    (tmp_path / "it.tar").write_bytes(
        zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    )

    with tarfile.open(tmp_path / "it.tar") as tar:
        (member,) = tar.getmembers()
        found = tar.extractfile(member)
        assert found is not None
        assert found.read() == before[member.name]


def test_only_its_owner_can_read_it(filled: Settings) -> None:
    pack_loaded_files(filled, NOW)

    folder = filled.landing / "archive" / "track"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_file_that_is_loaded_late_gets_a_second_archive_of_its_hour(filled: Settings) -> None:
    pack_loaded_files(filled, NOW)
    land(filled, "20261122T05", 9)
    load(filled)

    pack_loaded_files(filled, NOW)

    assert list(archived(filled)) == [
        "20261122T05-2.tar.zst",
        "20261122T05.tar.zst",
        "20261122T06.tar.zst",
    ]


@pytest.mark.any_one
@pytest.mark.parametrize("step", ["sync_file", "sync_folder"])
def test_after_a_death_no_file_is_missing_and_none_is_packed_twice(
    filled: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = loaded_files(filled)
    monkeypatch.setattr(archive, step, _dies)
    with pytest.raises(OSError, match="died"):
        pack_loaded_files(filled, NOW)
    assert loaded_files(filled) == before
    monkeypatch.undo()

    pack_loaded_files(filled, NOW)

    files = [item for files in archived(filled).values() for item in files.items()]
    assert sorted([*files, *loaded_files(filled).items()]) == sorted(before.items())


def test_a_file_that_is_not_what_was_loaded_stays(filled: Settings) -> None:
    path = next((filled.landing / "loaded" / "track").glob("20261122T06*"))
    path.write_bytes(path.read_bytes().replace(b"messageId", b"massageId"))

    done = pack_loaded_files(filled, NOW)

    assert done.strange == [path.name]
    assert path.exists()
    assert list(archived(filled)) == ["20261122T05.tar.zst"]


@pytest.mark.any_one
@pytest.mark.parametrize("damage", [lambda it: it[:-20], lambda it: it[:60] + b"\0" + it[61:]])
def test_a_damaged_archive_is_named_and_never_read_in_silence(
    filled: Settings, damage: object
) -> None:
    pack_loaded_files(filled, NOW)
    path = filled.landing / "archive" / "track" / "20261122T05.tar.zst"
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(DamagedArchiveError, match=r"20261122T05\.tar\.zst"):
        list(read_archive(path))


def test_a_damaged_archive_does_not_cost_the_file_that_is_to_join_it(filled: Settings) -> None:
    pack_loaded_files(filled, NOW)
    path = filled.landing / "archive" / "track" / "20261122T05.tar.zst"
    path.write_bytes(path.read_bytes()[:-20])
    land(filled, "20261122T05", 9)
    load(filled)
    before = loaded_files(filled)

    with pytest.raises(DamagedArchiveError):
        pack_loaded_files(filled, NOW)

    assert loaded_files(filled) == before


def test_a_damaged_archive_stops_no_other_hour(filled: Settings) -> None:
    pack_loaded_files(filled, NOW)
    path = filled.landing / "archive" / "track" / "20261122T05.tar.zst"
    path.write_bytes(path.read_bytes()[:-20])
    land(filled, "20261122T05", 9)
    load(filled)

    with pytest.raises(DamagedArchiveError):
        pack_loaded_files(filled, datetime(2026, 11, 23, tzinfo=UTC))

    folder = filled.landing / "archive" / "track"
    assert (folder / "20261122T07.tar.zst").exists()


def test_a_late_file_of_an_hour_that_has_expired_is_noted_as_well(filled: Settings) -> None:
    short = filled.model_copy(update={"archive_days": 1.0})
    early = sorted((filled.landing / "loaded" / "track").iterdir())
    much_later = datetime(2026, 12, 22, tzinfo=UTC)
    pack_loaded_files(short, much_later)
    late = land(short, "20261122T05", 9)
    load(short)

    pack_loaded_files(short, much_later)

    assert not archived(short)
    names = {f"track/{one.name}" for one in (late, *early)}
    assert Expired(short.landing).among([*names, "track/20261122T050-lost.ndjson"]) == names


def test_archives_are_kept_for_ever_unless_their_days_are_set(filled: Settings) -> None:
    much_later = datetime(2036, 11, 22, tzinfo=UTC)

    pack_loaded_files(filled, much_later)

    assert len(archived(filled)) == 3


def test_archives_older_than_that_go_and_it_is_noted_what_was_in_them(filled: Settings) -> None:
    short = filled.model_copy(update={"archive_days": 1.0})
    before = [f"track/{name}" for name in sorted(loaded_files(filled))]
    pack_loaded_files(short, NOW)
    assert len(archived(filled)) == 2

    done = pack_loaded_files(short, datetime(2026, 11, 23, 6, 30, tzinfo=UTC))

    assert done.archives_expired == 1
    assert list(archived(filled)) == ["20261122T06.tar.zst", "20261122T07.tar.zst"]
    went = {"track/20261122T05.tar.zst", *before[:2]}
    assert Expired(filled.landing).among(["track/20261122T06.tar.zst", *went, *before]) == went
    assert len(went) == 3


def test_what_is_written_for_archives_that_go_is_a_note_of_each(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not all that ever went, each time."""
    for hour in range(12):
        for number in range(3):
            land(settings, f"20261122T{hour:02}", number)
    load(settings)
    later = datetime(2026, 11, 26, tzinfo=UTC)
    pack_loaded_files(settings, later)
    written = []
    write = archive.write_whole

    def counted(path: Path, data: bytes) -> None:
        written.append(len(data))
        write(path, data)

    monkeypatch.setattr(archive, "write_whole", counted)

    done = pack_loaded_files(settings.model_copy(update={"archive_days": 1.0}), later)

    assert done.archives_expired == len(written) == 12
    notes = (settings.landing / "archive").rglob("*expired.ndjson")
    assert sum(written) == sum(note.stat().st_size for note in notes)


@pytest.mark.any_one
@pytest.mark.parametrize("left", [10, -40])
def test_an_archive_that_expires_damaged_is_noted_with_all_that_was_in_it(
    filled: Settings, left: int
) -> None:
    names = {f"track/{one}" for one in loaded_files(filled) if one.startswith("20261122T05")}
    pack_loaded_files(filled, NOW)
    path = filled.landing / "archive" / "track" / "20261122T05.tar.zst"
    path.write_bytes(path.read_bytes()[:left])
    waits = land(filled, "20261122T05", 9)
    load(filled)
    short = filled.model_copy(update={"archive_days": 1.0})

    with pytest.raises(DamagedArchiveError):
        pack_loaded_files(short, datetime(2026, 11, 23, 6, 30, tzinfo=UTC))

    assert not path.exists()
    went = {f"track/{path.name}", *names}
    assert Expired(filled.landing).among([*went, f"track/{waits.name}"]) == went
    assert len(names) == 2


def _dies(*_: object) -> None:
    raise OSError("died")
