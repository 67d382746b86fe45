"""Segment's HTTP Tracking API, for SDKs that are pointed straight at us."""

from collections.abc import Iterator

from flask import Blueprint, Response, request
from msgspec import Raw

from receiver.errors import unauthorized
from receiver.events.batches import Batch, Fields, read_batch, read_fields
from receiver.events.direct import DirectSender
from receiver.events.intake import land, let_in
from receiver.events.json_text import WHITESPACE
from receiver.http.answers import success
from receiver.http.body import (
    Body,
    read_body,
    receive_body,
    refuse_larger,
    unpack_body,
    unpacked_part,
)
from receiver.http.client_address import client_address, counted_address
from receiver.senders.auth import (
    credential_of_body,
    credential_of_broken,
    credential_of_header,
    written_key,
)
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Credential
from receiver.state import current_receiver

_CALLS = ("track", "identify", "page", "screen", "group", "alias")
CALLS_BY_NAME = {call[0]: call for call in _CALLS} | {call: call for call in _CALLS}
"""The call by the name it has in a path, whole or, as browsers write it, its first letter."""

bp = Blueprint("tracking", __name__)


@bp.post(f"/v1/<any({','.join(CALLS_BY_NAME)}):name>")
def event(name: str) -> Response:
    """Take one event, whose path says which call it is unless it says so itself."""
    call = CALLS_BY_NAME[name]
    credential, body = _receive()

    def events() -> Batch | str:
        return body.flaw or Batch([body.data.strip(WHITESPACE)])

    land(credential, events, body.data, call, direct_sender())
    return success()


@bp.post("/v1/batch")
@bp.post("/v1/import")
@bp.post("/v1/b")
@bp.post("/b")  # of SDKs whose host is set without /v1
def batch() -> Response:
    """Take a batch: `{"batch": [...]}`, with fields that hold for all its events."""
    credential, body = _receive()
    receiver = current_receiver()
    limits, most = receiver.limits(credential), receiver.settings.batch_events

    def events() -> Batch | str:
        return body.flaw or read_batch(read_fields(body.data), limits, most)

    land(credential, events, body.data, direct=direct_sender())
    return success()


@bp.post("/v1/m")
@bp.post("/m")
def metrics() -> Response:
    """Take what an SDK measures of itself: it is no event, and nobody here reads it."""
    return success()


def direct_sender(*, is_device: bool = False) -> DirectSender:
    """Return who sent the request being handled.

    Args:
        is_device: whether events that do not say it were made where the request was.
    """
    settings = current_receiver().settings
    address = client_address(request, settings.trusted_proxies)
    return DirectSender(
        settings.integration_name,
        address,
        is_device=is_device,
        stores_all=settings.store_shut_out,
    )


def credential_in(
    body: Body, text: bytes, endpoint: Endpoint, beside: Raw | None = None
) -> Credential:
    """Find the write key that stands in a body.

    Not before a known key was seen in it, its members are looked at one by one.

    Args:
        body: the body.
        text: the object in it that has the key.
        endpoint: what it is for.
        beside: the key that stands beside the object, as JSON, if there is one.

    Raises:
        RequestRefusedError: 401, there is none.
        ThrottledError: whose it is has used up what it may cost, or a quota.
    """
    sources = current_receiver().sources
    known = credential_of_body(sources, endpoint, written_key(text) or beside)
    if known is None:
        found = (credential_of_broken(sources, endpoint, text) for text in _texts(body))
        known = next(filter(None, found), None)
    if known is None:
        raise unauthorized()
    let_in(known)  # before it costs more
    fields = read_fields(text)
    if beside and "writeKey" not in fields.values:
        fields = fields._replace(values={**fields.values, "writeKey": beside})
    return _credential_of_fields(body, fields, endpoint)


def _credential_of_fields(body: Body, fields: Fields, endpoint: Endpoint) -> Credential:
    """Find the write key that stands in a body, whose members are known.

    A body that cannot be read, or not in one way alone, is kept if a known key stands anywhere in
    it: SDKs take a 401 for the last word, and all its events would be lost.

    Raises:
        RequestRefusedError: 401, no known key that is for this endpoint is in it.
    """
    sources = current_receiver().sources
    credential = credential_of_body(sources, endpoint, fields.values.get("writeKey"))
    if credential is None and (body.flaw or fields.flaw or not fields.is_json):
        found = (credential_of_broken(sources, endpoint, text) for text in _texts(body))
        credential = next(filter(None, found), None)
    if credential is None:
        raise unauthorized()
    return credential


def _texts(body: Body) -> Iterator[bytes]:
    """Yield what of a body may be read, the likeliest first."""
    yield body.readable
    yield body.data
    if not body.readable:
        yield unpacked_part(body.data, current_receiver().settings.keyless_bytes)


def _receive() -> tuple[Credential, Body]:
    """Read a request, as far as its header does not already speak against it.

    Raises:
        RequestRefusedError: it has no valid key, its source has used up a quota, or as `read_body`.
    """
    receiver = current_receiver()
    receiver.committer.refuse_early()
    header = request.headers.get("Authorization")
    credential = credential_of_header(receiver.sources, Endpoint.TRACKING, header)
    if credential:
        let_in(credential)
        limit = receiver.body_limit(credential)
        return credential, read_body(request, limit, credential)
    # Whoever sends this may be anybody.
    address = counted_address(request, receiver.settings.trusted_proxies)
    receiver.unauthenticated.must_have_left(address)
    limit = min(receiver.settings.body_bytes, receiver.settings.keyless_bytes)
    data = receive_body(request, limit, address=address)
    receiver.unauthenticated.must_have_left(address)  # others may have come first
    with receiver.unauthenticated.at_work(address):
        body = unpack_body(request, data, limit)
        credential = _credential_within_limit(body)
    receiver.unauthenticated.let_in(address, credential)
    return credential, body


def _credential_within_limit(body: Body) -> Credential:
    """Find the write key that stands in a body, which may not be larger than it is allowed.

    Raises:
        RequestRefusedError: 401, there is none; 413, it is larger.
    """
    credential = credential_in(body, body.data, Endpoint.TRACKING)
    size = max(len(body.data), len(body.readable))
    refuse_larger(size, current_receiver().body_limit(credential))
    return credential
