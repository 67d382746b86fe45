"""Kept bodies: what of a body that cannot be used is landed: all of it but keys and secrets."""

import gzip
from functools import partial

from receiver.http.body import unpacked_whole
from receiver.senders.sources import Credential
from receiver.server.native_threads import NATIVELY_FROM, compute
from receiver.state import current_receiver


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
    limit = current_receiver().body_limit(credential)
    unpacked = unpacked_whole(body, limit) if may_be_packed else b""
    if not unpacked:
        return _masked(body)
    masked = _masked(unpacked)
    if masked is unpacked:
        return body
    return compute(partial(gzip.compress, masked, mtime=0))


def _masked(text: bytes) -> bytes:
    mask = current_receiver().sources.mask
    return mask(text) if len(text) < NATIVELY_FROM else compute(partial(mask, text))
