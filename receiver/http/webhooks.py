"""Segment's webhook destinations: one event, a bare array of them, or a batch."""

from flask import Blueprint, Response, request

from receiver.errors import unauthorized
from receiver.events.batches import Batch, batch_of, first_element
from receiver.events.intake import land
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
        first = first_element(text) if has_key and text.startswith(b"[") else None
        signed = [body.data] if first is None else [first, body.data]
        if not is_signed(source, request.headers.get("X-Signature"), *signed):
            raise unauthorized()
    batch = body.flaw or batch_of(text, receiver.limits, receiver.settings.batch_events)
    land(source, batch or Batch([text]), body.data)
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
