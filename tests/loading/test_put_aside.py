"""What is put aside is kept, however many files had one name."""

from pathlib import Path

import pytest

from landed.aside import put_aside, put_aside_of
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed

NAME = "20261122T052446123456Z-a.ndjson"


def texts(folder: Path) -> dict[str, bytes]:
    """What is put aside in a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("*.conflict")}


def test_of_files_that_come_one_after_the_other(made_warehouse: Settings) -> None:
    settings = made_warehouse
    lines = [landed.line({"messageId": f"m{number}"}) for number in range(4)]
    for line in (*lines, lines[1], lines[2]):
        landed.land(settings.landing, "track", line, name=NAME)
        load(settings)

    assert texts(settings.landing / "track") == {
        "20261122T052446123456Z-a.ndjson.conflict": lines[1],
        "20261122T052446123456Z-a.2.ndjson.conflict": lines[2],
        "20261122T052446123456Z-a.3.ndjson.conflict": lines[3],
    }
    assert (settings.landing / "loaded" / "track" / NAME).read_bytes() == lines[0]


def test_of_one_that_was_killed_in_between(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"a")
    aside = put_aside(path)
    path.hardlink_to(aside)

    assert put_aside(path) == aside
    assert texts(tmp_path) == {aside.name: b"a"}
    assert not path.exists()


def test_those_of_a_name_are_found_and_no_others(tmp_path: Path) -> None:
    name = "a[1].ndjson"
    for other in ("a[1]b.ndjson.conflict", "a1.ndjson.conflict", "a[1].x.ndjson.conflict", name):
        (tmp_path / other).write_bytes(b"other")
    for number in range(3):
        (tmp_path / "from").write_bytes(b"%d" % number)
        put_aside(tmp_path / "from", tmp_path / name)
    (tmp_path / "a[1].2.ndjson.conflict").unlink()

    found = put_aside_of(tmp_path / name)

    assert [path.name for path in found] == ["a[1].3.ndjson.conflict", "a[1].ndjson.conflict"]


def test_one_that_was_taken_away_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        put_aside(tmp_path / NAME)
    assert list(tmp_path.iterdir()) == []
