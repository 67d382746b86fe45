"""Ids in events: whose an event is, and ids that stand for what a sender did not give."""

import json
import re
import unicodedata
from collections.abc import Mapping
from decimal import Context, Decimal

import msgspec

USER = "user"
ANONYMOUS = "anonymous"

KINDS = {"userId": (USER,), "anonymousId": (ANONYMOUS,), "previousId": (USER, ANONYMOUS)}
"""The fields of an event that say whose it is, and what kind of id each may hold."""

IN_BYTES = re.compile(
    rb'"(userId|anonymousId|previousId)"\s*:\s*("(?:[^"\\]++|\\.)*+"|-?\d[\d.eE+-]*)', re.DOTALL
)
"""Such a field, and the id in it as it is written, in bytes that cannot be read as JSON."""

SHOWN_NUL = "\ufffd"
"""What stands in the tables where a NUL was sent (dbt_project/macros/payload.sql)."""

MADE_UP_PREFIX = "sha256-"

MADE_UP_ID = MADE_UP_PREFIX + "[0-9a-f]{64}"
"""The id of an event whose sender gave none (docs/decisions/0020-ids-for-events-without-one.md)."""

# White space and what is not shown: Unicode's Z, Cc and Cf, and U+FFFD, as the models' macro
# `blank_as_null` names them. Written out, as each Python has the Unicode of its own time.
_INVISIBLE = (
    r"[\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u1680"
    r"\u180e\u2000-\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000\ufeff\ufff9-\ufffb"
    r"\ufffd\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_BLANK = re.compile(f"{_INVISIBLE}*")
_BLANKS = re.compile(f"{_INVISIBLE}+")

_HALF = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII)
_LONGEST_NUMBER = 400
_EXACT = Context(prec=1_000)

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
    return ids_among(msgspec.structs.asdict(_decode(event)))


def ids_among(members: Mapping[str, msgspec.Raw]) -> dict[str, bytes]:
    """The ids among an event's members: its strings and numbers."""
    tokens = {name: bytes(members[name]) for name in KINDS if name in members}
    return {name: token for name, token in tokens.items() if token[:1] in b'"-0123456789'}


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: as an id it would be everybody's."""
    return not "!" <= text[:1] <= "~" and _BLANK.fullmatch(text) is not None


def visible(text: str) -> str:
    """A text without what cannot be seen."""
    return _BLANKS.sub("", text)


def folded(text: str) -> str:
    """What is alike in an id and in those nearly the same: case, blanks, forms of a number."""
    plain = visible(unicodedata.normalize("NFKC", text)).casefold()
    if _NUMBER.fullmatch(plain):
        number = Decimal(plain)
        if abs(number.adjusted()) <= _LONGEST_NUMBER:
            plain = f"{number.normalize(_EXACT):f}"
    return plain


def landed_message_id(text: str) -> str:
    r"""A `messageId` as it lands: itself, or as JSON writes it, if it has a NUL.

    No table may have a NUL. `m\u0000x` in its place would be the id of whoever sent just that, so
    it stands in quotes, as in the payload; and so does an id that was sent in that form.
    """
    in_quotes = text.startswith('"') and text.endswith('"') and "\\u0000" in text
    return msgspec.json.encode(text).decode() if in_quotes or "\0" in text else text


def without_halves(text: str) -> str:
    """A text as it lands: with U+FFFD for each half of a character."""
    return _HALF.sub(SHOWN_NUL, text)


def text_of(token: bytes) -> str:
    """What an id says: a string as it reads, a number as it is written, digit for digit."""
    if not token.startswith(b'"'):
        return token.decode()
    try:
        return without_halves(str(json.loads(token)))
    except ValueError:
        return token[1:-1].decode(errors="replace")
