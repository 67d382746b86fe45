"""The pixel: an event in the address of an image, for places that run no script.

The answer is always the image, as Segment's is: who shows it can do nothing about an error,
and a broken image would be seen. The log has the reason.
"""

import base64
import binascii
import re
from urllib.parse import quote_plus, unquote_to_bytes

from flask import Blueprint, Response, request
from msgspec import Raw, json
from werkzeug.datastructures import MultiDict

from receiver.errors import RequestRefusedError
from receiver.events.batches import Batch
from receiver.events.intake import land
from receiver.events.json_text import WHITESPACE
from receiver.http.body import Body
from receiver.http.client_address import counted_address
from receiver.http.tracking import CALLS_BY_NAME, credential_in, direct_sender
from receiver.senders.scopes import Endpoint
from receiver.server.native_threads import compute_as
from receiver.state import current_handling, current_receiver

# One transparent pixel.
_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_BASE64 = re.compile("[A-Za-z0-9+/]*")
_SOUND = re.compile(rb"[A-Za-z0-9+/]+")
# Some encode for addresses, some do not and lose the plus; few pad.
_OTHER_ALPHABET = "-_ ", "+/+"
_BASE64_BYTES = bytes.maketrans(b"-_ ", b"+/+")
_MOST_LEVELS = 32  # of a parameter's name; what is behind them is one key

bp = Blueprint("pixel", __name__, url_prefix="/v1/pixel")


@bp.get("/<call>")
def pixel(call: str) -> Response:
    """Land the event in the query, and answer an empty image whatever became of it."""
    if request.method == "GET":  # HEAD shows nobody an image
        try:
            _land(call)
        except RequestRefusedError as error:
            current_handling().log["refused"] = error.code
    response = Response(_GIF, mimetype="image/gif")
    response.headers["Cache-Control"] = "no-store"  # or the second look would not be counted
    return response


def _land(call: str) -> None:
    """Land an event, or raise why not.

    Raises:
        RequestRefusedError: no such call, no valid write key, or it could not be landed.
        ThrottledError: whose it is, or anybody at that address, has used up what it may cost.
    """
    if call not in CALLS_BY_NAME.values():
        raise RequestRefusedError(404, "not_found", "There is no such call.")
    receiver = current_receiver()
    address = counted_address(request, receiver.settings.trusted_proxies)
    receiver.unauthenticated.must_have_left(address)
    compute_as(receiver.unauthenticated.turn(address))
    with receiver.unauthenticated.at_work(address):
        text, flaw = _event_of(request.args)
        body = Body(request.query_string, flaw, text)
        key = request.args.get("writeKey")
        beside = Raw(json.encode(key)) if key else None
        credential = credential_in(body, text, Endpoint.PIXEL, beside)
    receiver.unauthenticated.let_in(address, credential)
    kept = _without_keys(body.data) if flaw == "bad_base64" else body.data
    sender = direct_sender(is_device=True)
    land(credential, lambda: flaw or Batch([text]), kept, call, sender, is_view=True)


def _event_of(query: MultiDict[str, str]) -> tuple[bytes, str | None]:
    """Return the event in a query, and what is wrong with it, if anything.

    It stands in `data` as base64, or has a parameter for each of its values.
    """
    data = query.get("data")
    if data is None:
        event, flaw = _unfolded(query)
        return json.encode(event), flaw
    data = _for_base64(data)
    try:
        text = base64.b64decode(data + "=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return _readable(data), "bad_base64"
    text = text.strip(WHITESPACE)
    return text, None if text else "bad_base64"


def _for_base64(data: str) -> str:
    """Return `data` in base64's own alphabet, and without its padding."""
    return data.translate(str.maketrans(*_OTHER_ALPHABET)).rstrip("=")


def _readable(data: str) -> bytes:
    """Return what can be read of base64 up to where it is broken or cut."""
    sound = _BASE64.match(data)
    text = sound[0] if sound else ""
    return base64.b64decode(text[: len(text) // 4 * 4])


def _without_keys(query: bytes) -> bytes:
    """Return a query whose `data` is damaged, without the keys in what can be read of that."""
    return b"&".join(map(_field_without_keys, query.split(b"&")))


def _field_without_keys(field: bytes) -> bytes:
    name, _, value = field.partition(b"=")
    if unquote_to_bytes(name) != b"data":
        return field
    text = unquote_to_bytes(value.replace(b"+", b" ")).translate(_BASE64_BYTES)
    masked = _SOUND.sub(_run_without_keys, text)
    return field if masked == text else b"%b=%b" % (name, quote_plus(masked).encode())


def _run_without_keys(run: re.Match[bytes]) -> bytes:
    """Mask what stands in base64, wherever in it the first of four characters is."""
    text, mask = run[0], current_receiver().sources.mask
    for start in range(4):
        end = start + (len(text) - start) // 4 * 4
        readable = base64.b64decode(text[start:end])
        if (masked := mask(readable)) is not readable:
            text = text[:start] + base64.b64encode(masked) + text[end:]
    return text


def _unfolded(query: MultiDict[str, str]) -> tuple[dict[str, object], str | None]:
    """Return parameters as an object: `properties.subject=x` stands for one in another."""
    event: dict[str, object] = {}
    flaw = None
    for name, value in query.items(multi=True):
        *path, last = name.split(".", _MOST_LEVELS)
        inner = event
        for step in path:
            found = inner.setdefault(step, {})
            if not isinstance(found, dict):
                flaw = "duplicate_key"
                break
            inner = found
        else:
            flaw = "duplicate_key" if last in inner else flaw
            inner.setdefault(last, value)
    return event, flaw
