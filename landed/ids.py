"""Ids in events: whose an event is, and ids that stand for what a sender did not give."""

import json
import re

import msgspec

USER = "user"
ANONYMOUS = "anonymous"

KINDS = {"userId": (USER,), "anonymousId": (ANONYMOUS,), "previousId": (USER, ANONYMOUS)}
"""The fields of an event that say whose it is, and what kind of id each may hold."""

IN_BYTES = re.compile(
    rb'"(userId|anonymousId|previousId)"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)', re.DOTALL
)
"""Such a field, and the id in it as it is written, in bytes that cannot be read as JSON."""

SHOWN_NUL = "\ufffd"
"""What stands in the tables where a NUL was sent (dbt_project/macros/payload.sql)."""

MADE_UP_PREFIX = "sha256-"

MADE_UP_ID = MADE_UP_PREFIX + "[0-9a-f]{64}"
"""The id of an event whose sender gave none (docs/decisions/0020-ids-for-events-without-one.md)."""

_ABSENT = msgspec.Raw(b"null")


class _Ids(msgspec.Struct):
    userId: msgspec.Raw = _ABSENT  # noqa: N815 - Segment's names
    anonymousId: msgspec.Raw = _ABSENT  # noqa: N815
    previousId: msgspec.Raw = _ABSENT  # noqa: N815


_decode = msgspec.json.Decoder(_Ids).decode


def written_ids(event: bytes) -> dict[str, bytes]:
    """The ids an event has itself, by field, as they are written: its strings and numbers.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: it cannot be read as an object.
    """
    ids = _decode(event)
    tokens = {name: bytes(getattr(ids, name)) for name in KINDS}
    return {name: token for name, token in tokens.items() if token[:1] in b'"-0123456789'}


def text_of(token: bytes) -> str:
    """What an id says: a string as it reads, a number as it is written, digit for digit."""
    if not token.startswith(b'"'):
        return token.decode()
    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1].decode(errors="replace")
