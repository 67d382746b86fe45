"""Bodies: read whole, counted, and unpacked, or refused."""

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

from flask import Request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import ClientDisconnected

from landed.packed import GZIP_MAGIC, gunzip
from receiver.errors import NotLandedError, RequestRefusedError
from receiver.events.batches import most_bytes
from receiver.http.body_memory import (
    ADDRESS_SHARE,
    PUBLIC_SHARE,
    SOURCES_SHARE,
    UNAUTHENTICATED_SHARE,
    Account,
)
from receiver.senders.scopes import Kind
from receiver.senders.sources import Credential
from receiver.server.connection import Connection
from receiver.server.native_threads import compute, compute_as, deadline, let_others_run
from receiver.state import current_handling, current_receiver

_PIECE = 64 * 1024
# What packs, besides gzip: IANA's registered codings, and what is in use without being one. Any
# other name says nothing of a packing: some senders write the text's encoding there, or its type.
_OTHER_PACKINGS = frozenset(
    "aes128gcm br compress dcb dcz deflate exi pack200-gzip zstd "  # noqa: SIM905 - two lines
    "brotli bzip bzip2 bz2 lz4 lzma sdch snappy xz zip zlib zst".split()
)
_UNMEASURED_BYTES = 64 * 1024  # to so many gzip may unpack, however small it is
_UNPACK_NATIVELY_FROM = 1 << 20  # of what it may unpack to: some milliseconds


class Body(NamedTuple):
    """A whole body: its bytes, unpacked, or as they came where that fails with a reason."""

    data: bytes
    flaw: str | None = None
    readable: bytes = b""
    """With a flaw: what could be unpacked."""


def read_body(request: Request, limit: int, credential: Credential) -> Body:
    """Read and unpack a request's body.

    Args:
        request: whose body; its content type does not matter.
        limit: most bytes, as sent and unpacked.
        credential: what its sender proved itself with.

    Raises:
        RequestRefusedError: 400 cut short or empty, 408 too slow, 413 too large, 415 an unknown
            encoding, 429 or 503 too much is being received, 503 we have ended the connection.
    """
    data = receive_body(request, limit, credential)
    damage = current_receiver().damage
    damage.must_have_left(credential.account)  # others of its requests may have come first
    with damage.at_work(credential.account):
        return unpack_body(request, data, limit)


def receive_body(
    request: Request, limit: int, credential: Credential | None = None, address: str | None = None
) -> bytes:
    """Read a request's body, as it is sent.

    Args:
        request: whose body.
        limit: most bytes.
        credential: what its sender proved itself with, if it is known.
        address: the client's as it is counted, if it is not.

    Raises:
        RequestRefusedError: as `read_body`.
    """
    codings = _codings(request.headers.get("Content-Encoding", ""))
    if codings.count("gzip") > 1 or not _OTHER_PACKINGS.isdisjoint(codings):
        raise RequestRefusedError(
            415, "unknown_encoding", "Content-Encoding may be gzip or left out."
        )
    handling = current_handling()
    handling.body.count_on(*_accounts(limit, credential, address))
    if credential is None:
        compute_as(handling.receiver.unauthenticated.turn(address))
    data = _read_whole(request, limit, credential, address)
    handling.size = len(data)
    if data.startswith(GZIP_MAGIC) and most_unpacked(data, limit) > _UNMEASURED_BYTES:
        let_others_run()  # of very many that end together, not all are unpacked in one turn
    return data


def unpack_body(request: Request, data: bytes, limit: int) -> Body:
    """Unpack a body that has been received, if it is packed.

    Raises:
        RequestRefusedError: as `read_body`.
    """
    codings = _codings(request.headers.get("Content-Encoding", ""))
    # Some senders say gzip and send plain text, or the other way round.
    body = Body(data)
    if codings and data.startswith(GZIP_MAGIC):
        most = most_unpacked(data, limit)
        unpacked, problem = _unpack(data, most)
        if problem == "too_large":
            raise beyond(most, limit)
        current_handling().body.hold(sum(map(len, unpacked)))
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
    if not data.startswith(GZIP_MAGIC):
        return b""
    pieces, _ = _unpack(data, most_unpacked(data, limit))
    current_handling().body.hold(sum(map(len, pieces)))
    return b"".join(pieces)


def _codings(header: str) -> list[str]:
    names = (name.partition(";")[0].strip(" \t\"'").lower() for name in header.split(","))
    return [name.removeprefix("x-") for name in names if name]


def _accounts(limit: int, credential: Credential | None, address: str | None) -> Iterator[Account]:
    """Yield where a body is counted. None is so small that one body does not fit."""
    receiver = current_receiver()
    memory = receiver.settings.bodies_bytes
    if credential:
        shares = {f"source {credential.source.name}": SOURCES_SHARE}
        if credential.kind is Kind.BROWSER:
            shares[credential.account] = PUBLIC_SHARE
    else:
        # Who is known by two sources' keys does not wait for the one of which many are here.
        groups = receiver.unauthenticated.groups(address)
        group = min(groups, key=lambda one: receiver.bodies.held(one.name) * one.parts)
        share = UNAUTHENTICATED_SHARE / group.parts
        shares = {f"address {address}": ADDRESS_SHARE * share, group.name: share}
    for name, share in shares.items():
        yield Account(name, max(int(share * memory), limit))


def _read_whole(
    request: Request, limit: int, credential: Credential | None, address: str | None
) -> bytes:
    """Read to the end with a count of our own: servers pass a cut body off as a whole one."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise _too_large(limit)
    body = current_handling().body
    pieces = []
    size = 0
    try:
        with _waiting(request, credential, address):
            while piece := request.stream.read(_PIECE):
                body.hold(len(piece))
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise _too_large(limit)
                if size > _PIECE:
                    let_others_run()
    except (OSError, ParseException, ClientDisconnected):
        raise _cut_short(request) from None
    if announced is not None and size != announced:
        raise _cut_short(request)
    return b"".join(pieces)


def most_unpacked(data: bytes, limit: int) -> int:
    """Return to how many bytes gzip may unpack, of a request that may have so many."""
    ratio = current_receiver().settings.expansion_ratio
    return most_bytes(len(data), limit, ratio, _UNMEASURED_BYTES)


def _unpack(data: bytes, limit: int) -> tuple[list[bytes], str | None]:
    unpacking = partial(gunzip, data, limit)
    return compute(unpacking) if limit > _UNPACK_NATIVELY_FROM else unpacking()


def _waiting(
    request: Request, credential: Credential | None, address: str | None
) -> AbstractContextManager[None]:
    """Return the context to wait for a body in: most are here with their header."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, Connection):
        return connection.once_waiting(partial(_patience, connection, credential, address))
    return _patience(None, credential, address)


@contextmanager
def _patience(
    connection: Connection | None, credential: Credential | None, address: str | None
) -> Iterator[None]:
    """Wait for a body: not for ever, not for one that drips, and not for very many at once."""
    receiver = current_receiver()
    settings = receiver.settings
    seconds = settings.body_seconds
    if credential is None:
        # Those that began together do not end together: others would have to wait for it.
        share = random.uniform(0.5, 1)  # noqa: S311 - no secret
        seconds = min(seconds, share * settings.keyless_seconds)
    sender = credential.account if credential else f"address {address}"
    with ExitStack() as limits:
        if connection:
            limits.enter_context(receiver.slow_bodies.waiting(sender, connection.end))
            limits.enter_context(connection.at_least(settings.body_rate_bytes, _too_slow()))
        limits.enter_context(deadline(seconds, _too_slow()))
        yield


def beyond(most: int, limit: int) -> RequestRefusedError:
    """Return why a body may not unpack to more, given what it may in all."""
    return _too_large(limit) if most == limit else _too_packed()


def _too_packed() -> RequestRefusedError:
    ratio = current_receiver().settings.expansion_ratio
    message = f"A body may unpack to {ratio} times its size; send it plain, or in parts."
    return RequestRefusedError(413, "too_packed", message)


def _too_large(limit: int) -> RequestRefusedError:
    return RequestRefusedError(413, "too_large", f"A body may have {limit} bytes, unpacked.")


def _cut_short(request: Request) -> RequestRefusedError:
    """Return why a body has no end: its sender did not send it, or we no longer receive it."""
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, Connection) and connection.has_ended:
        return NotLandedError("closing")
    return RequestRefusedError(400, "cut_short", "The body ended before its announced end.")


def _too_slow() -> RequestRefusedError:
    return RequestRefusedError(408, "too_slow", "The body took too long to arrive; send it again.")
