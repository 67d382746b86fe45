"""Authentication: which source is this, and can it prove it?"""

import base64
import binascii
import hmac
import re
from itertools import islice
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Raw

from receiver.errors import unauthorized
from receiver.senders.sources import Source, Sources

_HEX_SHA1 = re.compile(r"[0-9a-fA-F]{40}")
# A key in bytes that are no JSON any more. Every repetition is possessive and bounded.
_KEY_IN_BYTES = re.compile(
    rb"writeKey[\\\"\']{0,8}+\s{0,64}+[:=]\s{0,64}+[\\\"\']{0,8}+([^\\\"\'\s:,&{}\[\]]{1,512}+)"
)
_MOST_KEYS = 10_000
_decode_text = msgspec.json.Decoder(str).decode


def source_of_header(sources: Sources, authorization: str | None) -> Source | None:
    """Find the source whose write key is the user of a Basic `Authorization` header.

    Returns:
        The source, or None if the header is missing or of another scheme: the key may still
        stand in the body.

    Raises:
        RequestRefusedError: 401, the header is Basic and wrong.
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(credentials.strip(), validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise unauthorized() from None
    key, _, password = pair.partition(b":")
    source = sources.with_write_key(key)
    if source is None or password:
        raise unauthorized()
    return source


def source_of_body(sources: Sources, write_key: Raw | None) -> Source | None:
    """Find the source whose write key stands in a body.

    Args:
        sources: all senders.
        write_key: the member `writeKey`, as JSON.

    Returns:
        The source, or None if the key is missing, no string, or nobody's.
    """
    try:
        return sources.with_write_key(_decode_text(write_key or b"null").encode())
    except (msgspec.DecodeError, UnicodeError):
        return None


def source_of_broken(sources: Sources, text: bytes) -> Source | None:
    """Find the first known write key that stands in a body which cannot be read.

    Args:
        sources: all senders.
        text: the bytes; whatever encoding they have, a key is ASCII. They may be a form.
    """
    source = _first_known(sources, text)
    if source is None and b"%" in text:
        source = _first_known(sources, unquote_to_bytes(text.replace(b"+", b" ")))
    return source


def _first_known(sources: Sources, text: bytes) -> Source | None:
    found = _KEY_IN_BYTES.finditer(text.replace(b"\0", b""))  # UTF-16 has one in each letter
    keys = (sources.with_write_key(one[1]) for one in islice(found, _MOST_KEYS))
    return next(filter(None, keys), None)


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
