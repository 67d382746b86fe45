"""Where an import goes on: whatever it had read, the rest is what it would have been."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from receiver.importing.errors import UselessError
from receiver.importing.journal import Journal, Place, State
from receiver.importing.one_file import land
from receiver.importing.reading import Line, read_lines
from receiver.importing.staging import drop_unnoted

PACKINGS = pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
DATA = b'{"n":1}\n\n' + b"x" * 25 + b'{"n":2}\n' + b"y" * 30 + b'\n{"n":3}'


def lines(packed: bytes, start: int) -> list[Line]:
    return list(read_lines(io.BufferedReader(io.BytesIO(packed)), start, most=10))


@PACKINGS
def test_what_is_read_from_any_place_is_what_stands_there(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(DATA)
    whole = lines(packed, 0)
    assert b"".join(line.data for line in whole) == DATA
    assert [line.is_too_long for line in whole] == [False, False, *[True] * 4, *[True] * 4, False]

    for number, line in enumerate(whole, 1):
        assert lines(packed, line.end) == whole[number:]


@PACKINGS
def test_a_file_that_has_become_shorter_is_of_no_use(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UselessError, match="shorter"):
        lines(pack(DATA), len(DATA) + 1)


def test_a_file_that_somebody_else_has_put_beside_what_is_staged_stays_there(
    tmp_path: Path,
) -> None:
    landing = tmp_path / "landing"
    for folder in (landing, tmp_path / "imports", tmp_path / "imports" / "key"):
        folder.mkdir()
    place = Place(tmp_path / "imports", "key")
    names = [".DS_Store", "notes-1.txt", "track-000000.ndjson", "track-000001.ndjson"]
    for name in names:
        (place.staging / name).write_bytes(b"x")
    journal = Journal(
        address="a", size=1, version="1", source="s", started=1, state=State.READ, chunks=1
    )

    drop_unnoted(place, journal)
    assert sorted(path.name for path in place.staging.iterdir()) == names[:-1]

    assert land(place, journal, landing).state is State.LANDED
    assert sorted(path.name for path in place.staging.iterdir()) == names[:2]
    assert [path.parent.name for path in landing.glob("*/*")] == ["track"]
