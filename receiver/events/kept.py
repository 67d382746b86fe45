"""Kept bodies: what of a body that cannot be used is landed: all of it but keys and secrets."""

import zlib
from collections.abc import Generator
from functools import partial

from landed.packed import GZIP_MAGIC, gunzip
from receiver.events.batches import counted, counted_in_turns
from receiver.http.body import beyond, most_unpacked
from receiver.senders.masking import Mask
from receiver.senders.sources import Credential
from receiver.state import current_handling, current_receiver

_GZIP = 31  # zlib's number for gzip with the largest window
_PIECE = 1 << 20  # packed in a tenth second at most
_MASKED_NATIVELY_FROM = 8 << 10  # five milliseconds, if all of it is in two encodings


def without_keys(body: bytes, credential: Credential) -> bytes:
    """Return what is kept of bytes that cannot be used, with `*` for each byte of a known key.

    gzip that nobody announced, or that is damaged, is looked into: an erasure has to unpack it
    again, so it may be no larger than any other. With a key in it, it is packed anew, as far as it
    could be unpacked.

    Args:
        body: the bytes as they came.
        credential: what their sender proved itself with.

    Raises:
        RequestRefusedError: 413, unpacked it is larger than a request may be, or than it may be
            for its size.
        NotLandedError: too much is being received to unpack it now.
    """
    receiver = current_receiver()
    mask = receiver.sources.mask
    if not body.startswith(GZIP_MAGIC):
        is_short = len(body) < _MASKED_NATIVELY_FROM
        return mask(body) if is_short else counted_in_turns(mask.in_turns(body))
    limit = receiver.body_limit(credential)
    most = most_unpacked(body, limit)
    pieces, problem = counted(partial(gunzip, body, most))
    if problem == "too_large":
        raise beyond(most, limit)
    current_handling().body.hold(sum(map(len, pieces)))
    return counted_in_turns(_packed_without_keys(body, b"".join(pieces), mask))


def _packed_without_keys(packed: bytes, text: bytes, mask: Mask) -> Generator[None, None, bytes]:
    masked = yield from mask.in_turns(text)
    if masked is text:
        # as it is written, too: a key may stand in a member's name, or behind them all
        return (yield from mask.in_turns(packed))
    return (yield from _packed(masked))


def _packed(text: bytes) -> Generator[None, None, bytes]:
    packer = zlib.compressobj(zlib.Z_BEST_COMPRESSION, wbits=_GZIP)
    pieces = []
    for start in range(0, len(text), _PIECE):
        pieces.append(packer.compress(text[start : start + _PIECE]))
        yield
    return b"".join([*pieces, packer.flush()])
