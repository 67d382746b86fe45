"""Masking: what is kept of a body that cannot be used shows nobody's key or shared secret.

Each of its bytes becomes a `*`; every other byte stays, and so does the length. It is found as it
reads: percent-encoded, with JSON's escapes, in UTF-16 or UTF-32, and in one within the other.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple

from receiver.senders.advice import is_weak

# A body is looked through in parts, so that what is noted of one never fills the memory. A key
# stands whole in one of them: they overlap by more than a long one takes in any encoding.
_PART = 256 << 10
_OVERLAP = 16 << 10

_NUL = re.compile(rb"\0+")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_ESCAPE = re.compile(rb'\\(u[0-9A-Fa-f]{4}|["\\/])')
_NOT_NUL = re.compile(rb"[^\0]")


def _nothing(_unit: bytes) -> bytes:
    return b""


def _percent(unit: bytes) -> bytes:
    return bytes([int(unit[1:], 16)])


def _escape(unit: bytes) -> bytes:
    _, sign, digits = unit.partition(b"u")
    return chr(int(digits, 16)).encode("utf-8", "surrogatepass") if sign else unit[1:]


# One after the other, as somebody may have packed JSON into a form, or into a string of JSON.
_ENCODINGS: tuple[tuple[bytes, re.Pattern[bytes], Callable[[bytes], bytes]], ...] = (
    (b"\0", _NUL, _nothing),
    (b"%", _PERCENT, _percent),
    (b"\0", _NUL, _nothing),
    (b"\\", _ESCAPE, _escape),
    (b"\\", _ESCAPE, _escape),
)


class Mask:
    """Hides credentials."""

    def __init__(self, credentials: Iterable[str]) -> None:
        """Take what is to be hidden."""
        patterns = [_pattern(one) for one in credentials]
        self._patterns = [(text, re.compile(pattern)) for text, pattern in patterns]

    def __call__(self, body: bytes) -> bytes:
        """Return a body without them: itself, if there is none in it."""
        masking = self.in_turns(body)
        while True:
            try:
                next(masking)
            except StopIteration as end:
                masked: bytes = end.value
                return masked

    def in_turns(self, body: bytes) -> Generator[None, None, bytes]:
        """Return the same, and yield behind each part: of a large body one takes a tenth second."""
        hidden: bytearray | None = None
        for start in range(0, len(body), _PART):
            if start:
                yield
            part = body[start : start + _PART + _OVERLAP]
            for begin, end in self._places_in(part):
                hidden = bytearray(body) if hidden is None else hidden
                # NULs stay, or what is UTF-16 would no longer be.
                hidden[start + begin : start + end] = _NOT_NUL.sub(b"*", part[begin:end])
        return body if hidden is None else bytes(hidden)

    def _places_in(self, part: bytes) -> Iterator[tuple[int, int]]:
        """Yield where they stand, in whatever encoding."""
        yield from self._plain_places_in(part)
        text, layers = part, list[_Decoded]()
        for sign, pattern, decode in _ENCODINGS:
            if sign in text and (layer := _decoded(text, pattern, decode)):
                layers.append(layer)
                text = layer.text
                for place in self._plain_places_in(text):
                    for one in reversed(layers):
                        place = one.origin_of(*place)  # noqa: PLW2901 - of the layer below
                    yield place

    def _plain_places_in(self, text: bytes) -> Iterator[tuple[int, int]]:
        for credential, pattern in self._patterns:
            if credential in text:  # many times as fast as the pattern
                yield from (found.span() for found in pattern.finditer(text))


def _pattern(credential: str) -> tuple[bytes, bytes]:
    """Return a credential's bytes, and a pattern for where they are to be hidden.

    A weak one may be an ordinary word, so it is one by itself only.
    """
    text = credential.encode()
    pattern = re.escape(text)
    return text, rb"(?<![0-9A-Za-z])%b(?![0-9A-Za-z])" % pattern if is_weak(credential) else pattern


class _Decoded(NamedTuple):
    """A text with an encoding taken off, and where in the encoded text its bytes stood.

    From each of `at` to the next, both texts go on by the same number of bytes, or this is one
    encoded character.
    """

    text: bytes
    at: list[int]
    origin: list[int]

    def origin_of(self, begin: int, end: int) -> tuple[int, int]:
        return self._origin(begin), self._origin(end)

    def _origin(self, place: int) -> int:
        nearest = bisect_right(self.at, place) - 1
        return self.origin[nearest] + place - self.at[nearest]


def _decoded(
    text: bytes, pattern: re.Pattern[bytes], decode: Callable[[bytes], bytes]
) -> _Decoded | None:
    """Take an encoding off; None if there is nothing of it."""
    pieces: list[bytes] = []
    at, origin = [0], [0]
    done = size = 0
    for unit in pattern.finditer(text):
        start, end = unit.span()
        plain = decode(unit[0])
        pieces += text[done:start], plain
        size += start - done
        at += size, size + len(plain)
        origin += start, end
        size += len(plain)
        done = end
    if not pieces:
        return None
    pieces.append(text[done:])
    return _Decoded(b"".join(pieces), at, origin)
