"""Segment's HTTP Tracking API, for SDKs that are pointed straight at us."""

from collections.abc import Iterator

from flask import Blueprint, Response, request

from receiver.errors import unauthorized
from receiver.events.batches import Batch, Fields, read_batch, read_fields
from receiver.events.direct import DirectSender
from receiver.events.intake import land
from receiver.events.json_text import WHITESPACE
from receiver.http.answers import success
from receiver.http.body import Body, read_body, unpacked_part
from receiver.http.client_address import client_address
from receiver.senders.auth import source_of_body, source_of_broken, source_of_header
from receiver.senders.sources import Source
from receiver.state import current_receiver

_CALLS = ("track", "identify", "page", "screen", "group", "alias")
CALLS_BY_NAME = {call[0]: call for call in _CALLS} | {call: call for call in _CALLS}
"""The call by the name it has in a path, whole or, as browsers write it, its first letter."""

bp = Blueprint("tracking", __name__)


@bp.post(f"/v1/<any({','.join(CALLS_BY_NAME)}):name>")
def event(name: str) -> Response:
    """Take one event, whose path says which call it is unless it says so itself."""
    call = CALLS_BY_NAME[name]
    source, body = _receive()
    if source is None:
        source = source_of_fields(body, read_fields(body.data))
    events = body.flaw or Batch([body.data.strip(WHITESPACE)])
    land(source, events, body.data, call, direct_sender())
    return success()


@bp.post("/v1/batch")
@bp.post("/v1/import")
@bp.post("/v1/b")
@bp.post("/b")  # of SDKs whose host is set without /v1
def batch() -> Response:
    """Take a batch: `{"batch": [...]}`, with fields that hold for all its events."""
    source, body = _receive()
    fields = read_fields(body.data)
    if source is None:
        source = source_of_fields(body, fields)
    receiver = current_receiver()
    events = body.flaw or read_batch(fields, receiver.limits, receiver.settings.batch_events)
    land(source, events, body.data, direct=direct_sender())
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
    return DirectSender(settings.integration_name, address, is_device=is_device)


def source_of_fields(body: Body, fields: Fields) -> Source:
    """Find the source whose write key stands in a body.

    A body that cannot be read, or not in one way alone, is kept if a known key stands anywhere in
    it: SDKs take a 401 for the last word, and all its events would be lost.

    Raises:
        RequestRefusedError: 401, no known key is in it.
    """
    sources = current_receiver().sources
    source = source_of_body(sources, fields.values.get("writeKey"))
    if source is None and (body.flaw or fields.flaw or not fields.is_json):
        found = (source_of_broken(sources, text) for text in _texts(body))
        source = next(filter(None, found), None)
    if source is None:
        raise unauthorized()
    return source


def _texts(body: Body) -> Iterator[bytes]:
    """Yield what of a body may be read, the likeliest first."""
    yield body.readable
    yield body.data
    if not body.readable:
        yield unpacked_part(body.data, current_receiver().settings.keyless_bytes)


def _receive() -> tuple[Source | None, Body]:
    """Read a request, as far as its header does not already speak against it."""
    receiver = current_receiver()
    receiver.committer.refuse_early()
    source = source_of_header(receiver.sources, request.headers.get("Authorization"))
    limit = receiver.settings.body_bytes
    if source is None:  # whoever sends this may be anybody
        limit = min(limit, receiver.settings.keyless_bytes)
    return source, read_body(request, limit)
