"""gzip is unpacked as far as it is sound, whatever is wrong with the rest."""

import gzip
import random

import pytest

from landed.packed import gunzip

TEXT = b'{"userId":"somebody"}' * 50
SOUND = gzip.compress(TEXT, mtime=0)
NOISE = random.Random(1).randbytes(300_000)  # noqa: S311 - what packs badly
WRONG = bytes(8)


def unpacked(data: bytes) -> bytes:
    pieces, problem = gunzip(data, 1 << 20)
    assert problem == "bad_gzip"
    return b"".join(pieces)


@pytest.mark.parametrize("end", [b"junk", SOUND[:30], b" " + SOUND])
def test_what_stands_behind_it_takes_nothing_from_it(end: bytes) -> None:
    assert unpacked(SOUND + end).startswith(TEXT)


@pytest.mark.parametrize("text", [TEXT, NOISE, TEXT + NOISE])
def test_with_a_wrong_checksum_all_but_the_last_byte_is_there(text: bytes) -> None:
    packed = gzip.compress(text, mtime=0)[:-8] + WRONG

    assert unpacked(packed) in (text, text[:-1])
    assert unpacked(SOUND + packed) in (TEXT + text, TEXT + text[:-1])


def test_what_is_cut_short_is_there_up_to_the_cut() -> None:
    packed = gzip.compress(NOISE, mtime=0)

    found = unpacked(packed[:150_000])

    assert NOISE.startswith(found)
    assert len(found) > 149_000


def test_beyond_the_limit_nothing_is_unpacked() -> None:
    pieces, problem = gunzip(SOUND, 100)

    assert (b"".join(pieces), problem) == (TEXT[:100], "too_large")
