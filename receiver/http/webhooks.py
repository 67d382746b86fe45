"""Segment's webhook destinations: one event, a bare array of them, or a batch."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response, request

from receiver.errors import RequestRefusedError, unauthorized
from receiver.events.batches import Batch, batch_of, first_element
from receiver.events.intake import land, let_in
from receiver.events.json_text import WHITESPACE
from receiver.http.answers import success
from receiver.http.body import Body, read_body, receive_body, unpack_body
from receiver.http.client_address import counted_address
from receiver.senders.auth import credential_of_header, is_signed, may_be_signed
from receiver.senders.scopes import Endpoint, Kind
from receiver.senders.sources import Credential, Source
from receiver.state import charge_to, current_handling, current_receiver

_LATER = (408, 429, 503)  # what is to be sent again

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@bp.route("/<name>", methods=["POST", "PUT", "PATCH"])
def webhook(name: str) -> Response:
    """Take what a webhook of Segment's sends for the source of that name."""
    receiver = current_receiver()
    receiver.committer.refuse_early()
    source, key = _identify(name)
    let_in(key or Credential(source, Kind.SECRET))
    limit = receiver.settings.body_bytes
    if key and not source.shared_secrets:
        credential, body = key, read_body(request, limit, key)
    else:
        credential, body = _signed(source, key, limit)
    text = body.data.strip(WHITESPACE)
    limits = receiver.limits(credential)

    def events() -> Batch | str:
        batch = body.flaw or batch_of(text, limits, receiver.settings.batch_events)
        return batch or Batch([text])

    land(credential, events, body.data)
    return success()


def _signed(source: Source, key: Credential | None, limit: int) -> tuple[Credential, Body]:
    """Read a body that has to be signed. Without a key it is anybody's until that was found right.

    Such a body is one event, and no larger: what is longer is an array, which needs the key.

    Returns:
        What vouches for all its events, and the body.

    Raises:
        RequestRefusedError: 401, it is not signed by the source, or cannot be; 408, 429 or 503 as
            `read_body`.
    """
    receiver = current_receiver()
    address = None
    if key:
        with _as_unauthorized():
            data = receive_body(request, limit, key)
        receiver.damage.must_have_left(key.account)  # others may have come first
        time_spent = receiver.damage.at_work(key.account)
    else:
        settings = receiver.settings
        limit = min(limit, max(settings.keyless_bytes, settings.event_bytes))
        address = counted_address(request, settings.trusted_proxies)
        receiver.unauthenticated.must_have_left(address)
        with _as_unauthorized():
            data = receive_body(request, limit, address=address)
        receiver.unauthenticated.must_have_left(address)  # others may have come first
        time_spent = receiver.unauthenticated.at_work(address)
    with time_spent:
        with _as_unauthorized():
            body = unpack_body(request, data, limit)
        credential = _proven(source, key, body)
    receiver.unauthenticated.let_in(address, credential)
    charge_to(credential.account)
    return credential, body


@contextmanager
def _as_unauthorized() -> Iterator[None]:
    """Refuse a body that nobody has signed yet with the answer of any that is not signed.

    Another one would say that there is such a source. The log has the reason in `refused`.
    """
    try:
        yield
    except RequestRefusedError as error:
        if error.status in _LATER:
            raise
        current_handling().log["refused"] = error.code
        raise unauthorized() from None


def _identify(name: str) -> tuple[Source, Credential | None]:
    """Find the source of a path, and the key in the request's header, if there is one.

    Raises:
        RequestRefusedError: 401, there is none, or nothing was brought to prove it with.
    """
    sources = current_receiver().sources
    source = sources.named(name)
    header = request.headers.get("Authorization")
    key = credential_of_header(sources, Endpoint.WEBHOOKS, header)
    if source is None or (key and key.source is not source):
        raise unauthorized()
    if key is None and not source.shared_secrets:
        raise unauthorized()
    if source.shared_secrets and not may_be_signed(request.headers.get("X-Signature")):
        raise unauthorized()  # without a look at the body
    return source, key


def _proven(source: Source, key: Credential | None, body: Body) -> Credential:
    """Return what vouches for all events of a body.

    Raises:
        RequestRefusedError: 401, it is not signed by a source that signs.
    """
    text = body.data.strip(WHITESPACE)
    signature = request.headers.get("X-Signature")
    # Segment signs the first event of an array only; the write key vouches for the others.
    if key and text.startswith(b"["):
        first = first_element(text)
        if first is not None and is_signed(source, signature, first):
            return key
    if not is_signed(source, signature, body.data):
        raise unauthorized()
    return Credential(source, Kind.SECRET)
