"""Kept bodies: what of a body that cannot be used is landed: all of it but keys and secrets."""

import gzip
from functools import partial

from receiver.http.body import GZIP_MAGIC, too_large, unpacked_part
from receiver.senders.sources import Credential
from receiver.server.native_threads import run_native
from receiver.state import current_receiver

_NATIVELY_FROM = 64 << 10


def without_keys(body: bytes, credential: Credential, *, may_be_packed: bool = False) -> bytes:
    """Return what is kept of bytes that cannot be used, with `*` for each byte of a known key.

    Args:
        body: the bytes as they came.
        credential: what their sender proved itself with.
        may_be_packed: whether to look into gzip that nobody announced, or that is damaged; with a
            key in it, it is packed anew, as far as it could be unpacked.

    Raises:
        RequestRefusedError: 413, unpacked it is larger than a request may be.
        NotLandedError: too much is being received to unpack it now.
    """
    if not (may_be_packed and body.startswith(GZIP_MAGIC)):
        return _masked(body)
    limit = current_receiver().body_limit(credential)
    unpacked = unpacked_part(body, limit)
    if len(unpacked) >= limit:
        raise too_large(limit)
    masked = _masked(unpacked)
    return body if masked is unpacked else gzip.compress(masked, mtime=0)


def _masked(text: bytes) -> bytes:
    mask = current_receiver().sources.mask
    return mask(text) if len(text) < _NATIVELY_FROM else run_native(partial(mask, text))
