"""Segment's webhook destinations: one event, a bare array of them, or a batch."""

from flask import Blueprint, Response, request

from receiver.errors import unauthorized
from receiver.events.batches import Batch, batch_of, first_element, refuse_oversized
from receiver.events.intake import land_events, land_unusable
from receiver.events.json_text import WHITESPACE
from receiver.http.answers import success
from receiver.http.body import read_body
from receiver.senders.auth import is_signed, may_be_signed, source_of_header
from receiver.senders.sources import Source
from receiver.state import current_receiver

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@bp.route("/<name>", methods=["POST", "PUT", "PATCH"])
def webhook(name: str) -> Response:
    """Take what a webhook of Segment's sends for the source of that name."""
    receiver = current_receiver()
    receiver.committer.refuse_early()
    source, has_key = _identify(name)
    body = read_body(request, receiver.settings.body_bytes)
    text = body.data.strip(WHITESPACE)
    if source.shared_secrets:
        # Segment signs the first event of an array only; the write key vouches for the others.
        first = first_element(text) if text.startswith(b"[") and has_key else None
        _check_signature(source, body.data, first)
    most = receiver.settings.batch_events
    events = body.flaw or batch_of(text, receiver.limits, most) or Batch([text])
    if isinstance(events, str):
        land_unusable(source, events, body.data)
    else:
        refuse_oversized(events, most, receiver.settings.body_bytes)
        land_events(source, events.items, events.shared)
    return success()


def _identify(name: str) -> tuple[Source, bool]:
    """Find the source of a path, and whether the request has its write key.

    Raises:
        RequestRefusedError: 401, there is none, or nothing was brought to prove it with.
    """
    sources = current_receiver().sources
    source = sources.named(name)
    key_owner = source_of_header(sources, request.headers.get("Authorization"))
    if source is None or key_owner not in (source, None):
        raise unauthorized()
    if key_owner is None and not source.shared_secrets:
        raise unauthorized()
    if source.shared_secrets and not may_be_signed(request.headers.get("X-Signature")):
        raise unauthorized()  # without a look at the body
    return source, key_owner is source


def _check_signature(source: Source, body: bytes, first: bytes | None) -> None:
    """Refuse a request whose signature is neither over all of its body nor over its first event.

    Raises:
        RequestRefusedError: 401.
    """
    signature = request.headers.get("X-Signature")
    if first is not None and is_signed(source, signature, first):
        return
    if not is_signed(source, signature, body):
        raise unauthorized()
