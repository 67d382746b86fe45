"""Authentication: which source is this, and can it prove it?"""

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from itertools import islice
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from receiver.errors import unauthorized
from receiver.senders.scopes import Endpoint
from receiver.senders.sources import Credential, Source, Sources

_HEX_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
# A key in bytes that are no JSON any more. Every repetition is bounded, as anybody may send them.
_KEY_IN_BYTES = re.compile(
    rb"writeKey[\\\"\']{0,8}+\s{0,64}+[:=]\s{0,64}+[\\\"\']{0,8}+([^\\\"\'\s:,&{}\[\]]{1,512}+)"
)
_MOST_KEYS = 1000
_NAME_OF_KEY = re.compile(b"writeKey")
_ESCAPE = re.compile(rb"\\{1,8}+u00([0-7][0-9A-Fa-f])")
_ESCAPED_NAME = re.compile(
    b"".join(rb"(?:%c|\\{1,8}+u00(?i:%02x))" % (sign, sign) for sign in b"writeKey")
)
_MOST_QUOTED = 100
_QUOTED_BYTES = 2048  # a key of 512 signs, each as %xx; or of 340, each as \u00xx
_decode_text = msgspec.json.Decoder(str).decode


class _Keyed(msgspec.Struct):
    writeKey: Raw = Raw()  # noqa: N815 - Segment's name


_decode_keyed = msgspec.json.Decoder(_Keyed).decode


def credential_of_header(
    sources: Sources, endpoint: Endpoint, authorization: str | None
) -> Credential | None:
    """Find the write key that is the user of a Basic `Authorization` header.

    Returns:
        The key, or None if the header is missing or of another scheme: the key may still stand
        in the body.

    Raises:
        RequestRefusedError: 401, the header is Basic and wrong, or its key is not for this.
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise unauthorized() from None
    key, _, password = pair.partition(b":")
    credential = sources.with_key(key, endpoint)
    if credential is None or password:
        raise unauthorized()
    return credential


def credential_of_body(
    sources: Sources, endpoint: Endpoint, write_key: Raw | None
) -> Credential | None:
    """Find the write key that stands in a body.

    Args:
        sources: all senders.
        endpoint: where it came.
        write_key: the member `writeKey`, as JSON.

    Returns:
        The key, or None if it is missing, no string, nobody's, or not for this endpoint.
    """
    try:
        return sources.with_key(_decode_text(write_key or b"null").encode(), endpoint)
    except (msgspec.DecodeError, UnicodeError):
        return None


def credential_of_broken(sources: Sources, endpoint: Endpoint, text: bytes) -> Credential | None:
    """Find the first known write key that stands in a body which cannot be read.

    Args:
        sources: all senders.
        endpoint: where it came.
        text: the bytes; whatever encoding they have, a key is ASCII. They may be a form.
    """
    credential = _first_known(sources, endpoint, text)
    for sign, name, unquote in _QUOTINGS:
        if credential is None and sign in text:  # to unquote all of 1 MiB takes half a second
            places = islice(name.finditer(text), _MOST_QUOTED)
            parts = (text[one.start() : one.start() + _QUOTED_BYTES] for one in places)
            found = filter(None, (_KEY_IN_BYTES.match(unquote(part)) for part in parts))
            credential = _known_in(sources, endpoint, found)
    return credential


def _of_form(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))


def _of_json(part: bytes) -> bytes:
    return _ESCAPE.sub(lambda one: bytes([int(one[1], 16)]), part)


# How a key may be written, besides as it is: a byte that is in it then, its name, what undoes it.
_QUOTINGS = (
    (b"%", _NAME_OF_KEY, _of_form),
    (b"\\u00", _ESCAPED_NAME, _of_json),
)


def written_key(text: bytes) -> Raw | None:
    """Return the member `writeKey` of a body, without an object made of any other.

    Returns:
        The member, as JSON; None if there is none, or the body is no valid object.
    """
    try:
        return _decode_keyed(text).writeKey or None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _first_known(sources: Sources, endpoint: Endpoint, text: bytes) -> Credential | None:
    found = _KEY_IN_BYTES.finditer(text.replace(b"\0", b""))  # UTF-16 has one in each letter
    return _known_in(sources, endpoint, islice(found, _MOST_KEYS))


def _known_in(
    sources: Sources, endpoint: Endpoint, found: Iterable[re.Match[bytes]]
) -> Credential | None:
    return next(filter(None, (sources.with_key(one[1], endpoint) for one in found)), None)


def may_be_signed(signature: str | None) -> bool:
    """Say whether an `X-Signature` has the form of one, which is known before the body is read."""
    return signature is not None and bool(_HEX_SHA1.fullmatch(signature))


def is_signed(source: Source, signature: str | None, *texts: bytes) -> bool:
    """Say whether `X-Signature` is right for one of the texts, with one of the secrets.

    Args:
        source: whose secrets.
        signature: the header: HMAC-SHA1 in hex.
        texts: bytes as they came; a re-serialisation would not match.
    """
    if signature is None or not may_be_signed(signature):
        return False
    given = bytes.fromhex(signature)
    return any(
        hmac.compare_digest(hmac.digest(secret.encode(), text, "sha1"), given)
        for secret in source.shared_secrets
        for text in texts
    )
