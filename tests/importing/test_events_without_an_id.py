"""Imported events without a `messageId`: where they stand in their file tells them apart."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.importing.command import import_places
from receiver.settings import Settings
from tests.support.receiver.landing import whole_lines

EQUAL = b'{"type":"track","event":"e"}\n'


def ids(landing: Path) -> list[str]:
    return sorted(json.loads(line)["message_id"] for line in whole_lines(landing))


@pytest.fixture
def import_into(tmp_path: Path) -> Callable[[str, Path], list[str]]:
    """Import a file into a landing folder of a name; return all ids there."""

    def run(name: str, file: Path) -> list[str]:
        settings = Settings(_env_file=None, landing=tmp_path / name, reserve_bytes=0)
        assert import_places([str(file)], None, settings)
        return ids(tmp_path / name)

    return run


def test_equal_lines_of_a_file_are_two_events_and_the_same_file_has_the_same_ids(
    tmp_path: Path, import_into: Callable[[str, Path], list[str]]
) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(EQUAL * 2 + b"[%b,%b]\n" % (EQUAL.strip(), EQUAL.strip()))
    elsewhere = tmp_path / "moved" / "history.ndjson.gz"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(gzip.compress(file.read_bytes()))

    first = import_into("first", file)

    assert len(set(first)) == 4
    assert import_into("again", elsewhere) == first


def test_equal_lines_of_two_files_are_two_events(
    tmp_path: Path, import_into: Callable[[str, Path], list[str]]
) -> None:
    for name in ("monday", "tuesday"):
        (tmp_path / f"{name}.ndjson").write_bytes(EQUAL)

    monday = import_into("one", tmp_path / "monday.ndjson")

    assert monday != import_into("two", tmp_path / "tuesday.ndjson")
