"""gzip as it is sent: unpacked piece by piece, up to a limit, and as far as it is sound."""

import zlib
from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"
"""What gzip begins with."""

_WINDOW = 31  # zlib's number for gzip with the largest window
_MEMBERS = 64  # more than any sender makes
_PIECE = 64 * 1024
_FINER = 4096, 256, 16, 1


def gunzip(data: bytes, limit: int) -> tuple[list[bytes], str | None]:
    """Unpack gzip.

    Returns:
        What is sound of it, in pieces, up to a limit; and `bad_gzip` or `too_large`, if that is
        not all.
    """
    pieces = []
    left = limit
    try:
        for piece in _pieces(data):
            pieces.append(piece[:left])
            left -= len(piece)
            if left < 0:
                return pieces, "too_large"
    except zlib.error:
        return pieces, "bad_gzip"
    return pieces, None


def _pieces(data: bytes) -> Iterator[bytes]:
    """Unpack gzip members piece by piece, so that what is too large never stands in memory whole.

    Raises:
        zlib.error: they are damaged, cut short, or too many.
    """
    member = zlib.decompressobj(_WINDOW)
    members = 1
    for start in range(0, len(data), _PIECE):
        rest = data[start : start + _PIECE]
        while rest:
            if member.eof:
                member = zlib.decompressobj(_WINDOW)
                members += 1
            before = member.copy()
            try:
                piece = member.decompress(rest, _PIECE)
            except zlib.error:
                yield from _up_to_the_damage(before, rest)
                raise
            yield piece
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if members > _MEMBERS:
                raise zlib.error("too many members")
    yield member.flush()
    if not member.eof:
        raise zlib.error("cut short")


def _up_to_the_damage(member: "zlib._Decompress", rest: bytes) -> Iterator[bytes]:
    """Unpack what is sound of a piece that is not: zlib gives nothing of one with an error."""
    for size in _FINER:
        while True:
            before = member.copy()
            try:
                piece = member.decompress(rest, size)
            except zlib.error:
                member = before
                break
            if not piece and not member.unconsumed_tail:
                return
            yield piece
            rest = member.unconsumed_tail
