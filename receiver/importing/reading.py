"""Reading: from a file's bytes, packed or not, to its lines."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from receiver.importing.errors import CutShortError, UselessError

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SKIP_BYTES = 1 << 20
_OTHERS = {
    b"PK\x03\x04": "a zip file",
    b"(\xb5/\xfd": "packed with zstd",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"PAR1": "a Parquet file",
}


class Line(NamedTuple):
    """A line, with its line break, or a piece of one that is too long.

    Attributes:
        data: its bytes.
        end: where in the unpacked file it ends.
        is_too_long: whether it is a piece.
    """

    data: bytes
    end: int
    is_too_long: bool = False


def read_lines(opened: io.BufferedReader, start: int, most: int) -> Iterator[Line]:
    """Read a file's lines; whether it is gzip is said by its first bytes, not by its name.

    Args:
        opened: the file, at its beginning.
        start: where in the unpacked file to begin.
        most: the longest line, in bytes.

    Raises:
        CutShortError: it is gzip without an end; all whole lines before have been read.
        UselessError: it is damaged, or nothing that can be read here.
        UnreadableError: its origin does not give it.
    """
    first = opened.peek(8)
    for magic, kind in _OTHERS.items():
        if first.startswith(magic):
            raise UselessError(f"is {kind}: unpack it, or turn it into a file of one event a line")
    if not first.startswith(_GZIP):
        opened.seek(max(0, start - 1))
        yield from _lines(opened, start, most)
        return
    with gzip.GzipFile(fileobj=opened) as unpacked:
        try:
            _skip(unpacked, start - 1)
            yield from _lines(unpacked, start, most)
        except EOFError as error:
            raise CutShortError from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UselessError(f"is damaged gzip ({error}): nothing of it was imported") from error


def _skip(unpacked: gzip.GzipFile, size: int) -> None:
    while size > 0 and (skipped := unpacked.read(min(size, _SKIP_BYTES))):
        size -= len(skipped)


def _lines(stream: io.BufferedReader | gzip.GzipFile, start: int, most: int) -> Iterator[Line]:
    """Read lines from a stream that is at the byte before the first of them, if there is one.

    Whoever was here before may have stopped within a line that is too long.
    """
    end = start
    before = stream.read(1) if start else b"\n"
    if not before:
        raise UselessError("has become shorter than it was: nothing of it was imported")
    is_piece = before != b"\n"
    while data := stream.readline(most):
        end += len(data)
        goes_on = not data.endswith(b"\n") and len(data) == most
        if end == len(data):
            data = data.removeprefix(_BYTE_ORDER_MARK)
        yield Line(data, end, is_piece or goes_on)
        is_piece = goes_on
