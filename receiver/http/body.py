"""Bodies: read whole, counted, and unpacked, or refused."""

import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from flask import Request, g
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from receiver.errors import RequestRefusedError
from receiver.http.body_memory import hold
from receiver.server.native_threads import deadline, let_others_run, run_native
from receiver.state import current_receiver

_PIECE = 64 * 1024
# What packs, besides gzip: IANA's registered codings, and what is in use without being one. Any
# other name says nothing of a packing: some senders write the text's encoding there, or its type.
_OTHER_PACKINGS = frozenset(
    "aes128gcm br compress dcb dcz deflate exi pack200-gzip zstd "  # noqa: SIM905 - two lines
    "brotli bzip bzip2 bz2 lz4 lzma sdch snappy xz zip zlib zst".split()
)
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's number for gzip with the largest window
_GZIP_MEMBERS = 64  # more than any sender makes
_UNPACKED_PIECE = 1024 * 1024
_UNPACK_NATIVELY_FROM = 64 * 1024


class Body(NamedTuple):
    """A whole body: its bytes, unpacked, or as they came where that fails with a reason."""

    data: bytes
    flaw: str | None = None
    readable: bytes = b""
    """With a flaw: what could be unpacked."""


def read_body(request: Request, limit: int) -> Body:
    """Read and unpack a request's body.

    Args:
        request: whose body; its content type does not matter.
        limit: most bytes, as sent and unpacked.

    Raises:
        RequestRefusedError: 400 cut short or empty, 408 too slow, 413 too large, 415 an unknown
            encoding, 503 too much is being received.
    """
    codings = _codings(request.headers.get("Content-Encoding", ""))
    if codings.count("gzip") > 1 or not _OTHER_PACKINGS.isdisjoint(codings):
        raise RequestRefusedError(
            415, "unknown_encoding", "Content-Encoding may be gzip or left out."
        )
    data = _read_whole(request, limit)
    g.bytes = len(data)
    # Some senders say gzip and send plain text, or the other way round.
    body = Body(data)
    if codings and data.startswith(_GZIP_MAGIC):
        unpacked, problem = _unpack(data, limit)
        if problem == "too_large":
            raise _too_large(limit)
        hold(sum(map(len, unpacked)))
        whole = b"".join(unpacked)
        body = Body(data, problem, whole) if problem else Body(whole)
    if not body.data or body.data.isspace():
        raise RequestRefusedError(400, "empty_body", "The request has no body.")
    return body


def refuse_larger(size: int, limit: int) -> None:
    """Refuse a body that turns out to be over its sender's limit.

    Raises:
        RequestRefusedError: 413, it is larger.
    """
    if size > limit:
        raise _too_large(limit)


def unpacked_part(data: bytes, limit: int) -> bytes:
    """Return what gzip holds, as far as it is sound and within a limit; of other bytes nothing."""
    if not data.startswith(_GZIP_MAGIC):
        return b""
    pieces, _ = _unpack(data, limit)
    hold(sum(map(len, pieces)))
    return b"".join(pieces)


def unpacked_whole(data: bytes, limit: int) -> bytes:
    """Return what gzip holds, as far as it is sound; of other bytes nothing.

    Raises:
        RequestRefusedError: 413, it is larger than the limit.
    """
    if not data.startswith(_GZIP_MAGIC):
        return b""
    pieces, problem = _unpack(data, limit)
    if problem == "too_large":
        raise _too_large(limit)
    hold(sum(map(len, pieces)))
    return b"".join(pieces)


def _codings(header: str) -> list[str]:
    names = (name.partition(";")[0].strip(" \t\"'").lower() for name in header.split(","))
    return [name.removeprefix("x-") for name in names if name]


def _read_whole(request: Request, limit: int) -> bytes:
    """Read to the end with a count of our own: servers pass a cut body off as a whole one."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    pieces = []
    size = 0
    try:
        with deadline(current_receiver().settings.body_seconds, _too_slow()):
            while piece := request.stream.read(_PIECE):
                hold(len(piece))
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if size > _PIECE:
                    let_others_run()
    except (OSError, ParseException, ClientDisconnected):
        raise _cut_short() from None
    if announced is not None and size != announced:
        raise _cut_short()
    return b"".join(pieces)


def _unpack(data: bytes, limit: int) -> tuple[list[bytes], str | None]:
    unpacking = partial(gunzip, data, limit)
    # A small body that unpacks to a large one holds up others no longer than the limit lets it.
    return run_native(unpacking) if len(data) >= _UNPACK_NATIVELY_FROM else unpacking()


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
    member = zlib.decompressobj(_GZIP_WINDOW)
    members = 1
    for start in range(0, len(data), _PIECE):
        rest = data[start : start + _PIECE]
        while rest:
            if member.eof:
                member = zlib.decompressobj(_GZIP_WINDOW)
                members += 1
            yield member.decompress(rest, _UNPACKED_PIECE)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if members > _GZIP_MEMBERS:
                raise zlib.error("too many members")
    yield member.flush()
    if not member.eof:
        raise zlib.error("cut short")


def _too_large(limit: int) -> RequestRefusedError:
    return RequestRefusedError(413, "too_large", f"A body may have {limit} bytes, unpacked.")


def _cut_short() -> RequestRefusedError:
    return RequestRefusedError(400, "cut_short", "The body ended before its announced end.")


def _too_slow() -> RequestRefusedError:
    return RequestRefusedError(408, "too_slow", "The body took too long to arrive; send it again.")
