"""JSON as text: spans, depth and repeated keys, without rebuilding a value.

msgspec checks what is valid. What stands here is for what it does not tell: where a value
stands, how deep the text goes, and whether a key stands twice. The scanning functions know
nothing but strings and brackets, so they can also cut a text that is not valid apart.
"""

import re
import sys
from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec import Raw

WHITESPACE = b" \t\n\r"

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)'  # one without an end goes to the end of the text
_BRACKETS = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_STRUCTURE = re.compile(_STRING + rb"|[{}\[\],]", re.DOTALL)
_KEY = re.compile(rb"[ \t\n\r]*(" + _STRING + rb")[ \t\n\r]*:[ \t\n\r]*", re.DOTALL)
_BLANK = re.compile(rb"[ \t\n\r]*+")
_decode_key = msgspec.json.Decoder(str).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_MOST_TOKENS = 4_000_000  # a second's work; a batch of 4,000 ordinary events has 700,000
_OPENING = b"{["
_CLOSING = b"}]"


class Member(NamedTuple):
    """One member of an object, and where its value stands in the text."""

    key: str
    start: int
    end: int


def deeper_than(text: bytes, limit: int) -> bool:
    """Say whether brackets nest deeper than the limit."""
    # Every level costs a bracket, so few brackets prove it without a scan.
    if text.count(b"{") + text.count(b"[") <= limit:
        return False
    depth = 0
    for token in _BRACKETS.finditer(text):
        character = text[token.start()]
        if character in _OPENING:
            depth += 1
            if depth > limit:
                return True
        elif character in _CLOSING:
            depth -= 1
    return False


def elements(text: bytes, most: int = sys.maxsize) -> list[bytes] | None:
    """Cut an array into its elements, valid or not; commas with nothing between them part nothing.

    Args:
        text: the array.
        most: how many elements to look for; what stands behind them is not looked at.

    Returns:
        The elements' bytes, or None if the text is not one bracketed array.
    """
    spans = _between_commas(text, b"[", most)
    if spans is None:
        return None
    return [text[start:end].strip(WHITESPACE) for start, end in spans]


def members(text: bytes, most: int = sys.maxsize) -> list[Member] | None:
    """Find the members of an object, valid or not.

    Args:
        text: the object.
        most: how many members to look for; what stands behind them is not looked at.

    Returns:
        The members in their order, or None if the text is not one bracketed object.
    """
    spans = _between_commas(text, b"{", most)
    if spans is None:
        return None
    found = []
    for start, end in spans:
        key = _KEY.match(text, start, end)
        if key is None:
            return None
        try:
            name = _decode_key(key[1])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        found.append(Member(name, key.end(), start + len(text[start:end].rstrip(WHITESPACE))))
    return found


def places(text: bytes) -> list[Member]:
    """Find the members of a valid object, fast where it is written without white space."""
    parsed = _decode_members(text)
    found = []
    at = 1
    for key, value in parsed.items():
        at += len(key) + 3  # the key's quotes, and the colon
        found.append(Member(key, at, at + len(value)))
        at = found[-1].end + 1  # the comma, or the closing brace
    # White space, an escape or a key that stands twice would have made the text longer.
    return found if at == len(text) else members(text) or []


def without_member(text: bytes, key: str) -> bytes:
    """Return an object's bytes without one of its members, and all else as it was.

    Args:
        text: a valid object, without white space around it, that has the member once.
        key: the member's key.
    """
    found = places(text)
    place = next(number for number, member in enumerate(found) if member.key == key)
    if place:  # with the comma before it
        return text[: found[place - 1].end] + text[found[place].end :]
    rest = text[found[place].end :].lstrip(WHITESPACE)
    return b"{" + rest.removeprefix(b",")


def repeats_a_key(text: bytes, parsed: Mapping[str, Raw]) -> bool:
    """Say whether a key stands twice at the top of a valid object.

    Args:
        text: the object's bytes, without white space around it.
        parsed: the same object, read by msgspec, which keeps one value per key.
    """
    if not parsed:
        return False
    # Compact text is exactly as long as its parts: nothing is left for a second key.
    values = b"".join(parsed.values())
    if len(text) == len(values) + len("".join(parsed)) + 4 * len(parsed) + 1:
        return False
    # So is Python's way of writing it, `", "` and `": "`.
    pairs = zip(map(str.encode, parsed), parsed.values(), strict=True)
    if text[1:-1] == b", ".join([b'"%b": %b' % pair for pair in pairs]):
        return False
    found = members(text)
    return found is None or len(found) != len(parsed)


def _between_commas(text: bytes, opening: bytes, most: int) -> list[tuple[int, int]] | None:
    """Find what stands between the commas of the outermost brackets; None if they do not close.

    Some senders write a comma too many: where nothing stands is no span. Once there are `most` of
    them, what follows is not looked at. A text that would take very long is given up.
    """
    start = len(text) - len(text.lstrip(WHITESPACE))
    if text[start : start + 1] != opening:
        return None
    depth = 0
    spans: list[tuple[int, int]] = []
    begin = start + 1
    for token in islice(_STRUCTURE.finditer(text, start), _MOST_TOKENS):
        character = text[token.start()]
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth == 0:
                if _BLANK.fullmatch(text, begin, token.start()) is None:
                    spans.append((begin, token.start()))
                return None if text[token.end() :].strip(WHITESPACE) else spans
        elif character == ord(",") and depth == 1:
            if _BLANK.fullmatch(text, begin, token.start()) is None:
                spans.append((begin, token.start()))
            if len(spans) == most:
                return spans
            begin = token.end()
    return None
