"""A file whose lines are all good is read at once, and says what it says line by line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.loading.landed_file import LandedFile, Lines, parse
from tests.support import landed

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
LINES = st.builds(
    landed.line,
    st.dictionaries(TEXTS, TEXTS | st.integers() | st.lists(st.none()), max_size=4),
    message_id=TEXTS,
    source=TEXTS,
    sent_at=st.none() | TEXTS,
    credential=st.none() | TEXTS,
)
FILE = LandedFile(Path("landing/track/one.ndjson"), "track")


@given(st.lists(LINES, min_size=1, max_size=6))
def test_a_whole_file_says_what_its_lines_say_beside_a_damaged_one(lines: list[bytes]) -> None:
    whole = parse(FILE, b"".join(lines))
    beside = parse(FILE, b"".join([*lines, b"damaged\n"]))

    assert not whole.rejects
    assert [one.reason for one in beside.rejects] == ["no_envelope"]
    assert _columns(whole.lines) == _columns(beside.lines)
    assert list(whole.lines.line) == list(range(1, len(lines) + 1))


@pytest.mark.parametrize(
    "damaged",
    [
        landed.sealed(',"message_id":"a","payload":{}}'),
        landed.sealed(',"message_id":7,"received_at":"","sent_at":null,"source":"","payload":{}}'),
        landed.sealed(
            ',"message_id":"a","received_at":"r","sent_at":null,"source":"s"},'
            '{"message_id":"b","received_at":"r","sent_at":null,"source":"s","payload":{}}'
        ),
        landed.line({}, message_id="a").replace(b"{}}", b"{\xff}}"),
        landed.line("[" * 200 + "]" * 200, message_id="a"),
        landed.line({}, message_id="a")[1:],
    ],
)
def test_a_damaged_line_is_told_from_the_good_ones_around_it(damaged: bytes) -> None:
    good = landed.line({"a": 1}, message_id="good")
    contents = parse(FILE, good + damaged + good)

    assert list(contents.lines.line) == [1, 3]
    assert [one.line for one in contents.rejects] == [2]


def _columns(lines: Lines) -> list[list[object]]:
    return [list(column) for column in vars(lines).values()]
