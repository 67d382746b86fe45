"""Kept bodies: what of a body that cannot be used is landed: all of it but keys and secrets."""

import gzip
import time
from functools import partial

from receiver.http.body import GZIP_MAGIC, unpacked_whole
from receiver.senders.sources import Credential
from receiver.server.native_threads import run_native
from receiver.state import current_receiver, note_damage

_NATIVELY_FROM = 64 << 10


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
    if not body.startswith(GZIP_MAGIC):
        return _masked(body)
    started = time.process_time()
    try:
        unpacked = unpacked_whole(body, current_receiver().body_limit(credential))
        if not unpacked:
            return _masked(body)
        masked = _masked(unpacked)
        if masked is unpacked:
            return body
        return run_native(partial(gzip.compress, masked, mtime=0))
    finally:
        note_damage(time.process_time() - started)


def _masked(text: bytes) -> bytes:
    mask = current_receiver().sources.mask
    return mask(text) if len(text) < _NATIVELY_FROM else run_native(partial(mask, text))
