"""JSON as text: spans, depth and repeated keys, without rebuilding a value.

msgspec checks what is valid. What stands here is for what it does not tell: where a value
stands, how deep the text goes, and whether a key stands twice. The scanning functions know
nothing but strings and brackets, so they can also cut a text that is not valid apart.
"""

import re
import sys
from codecs import iterdecode
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import Raw

WHITESPACE = b" \t\n\r"
NOT_DECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)'  # one without an end goes to that of the text
_BRACKETS = re.compile(_STRING + rb"|[{}\[\]]", re.DOTALL)
_STRUCTURE = re.compile(_STRING + rb"|[{}\[\],]", re.DOTALL)
_KEY = re.compile(rb"[ \t\n\r]*(" + _STRING + rb")[ \t\n\r]*:[ \t\n\r]*", re.DOTALL)
_BLANK = re.compile(rb"[ \t\n\r]*+")
_SURROGATE = rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_LONE_SURROGATES = re.compile(
    rb"(?:[^\\]++|" + _PAIR + rb"|(?!" + _SURROGATE + rb")\\.)++|(" + _SURROGATE + rb")", re.DOTALL
)
_encode = msgspec.json.encode
_decode = msgspec.json.Decoder().decode
_decode_raw = msgspec.json.Decoder(Raw).decode
_decode_key = msgspec.json.Decoder(str).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_PIECE = 1 << 20
_MOST_TOKENS = 4_000_000  # a second's work; a batch of 4,000 ordinary events has 700,000
_OPENING = b"{["
_CLOSING = b"}]"


Member = tuple[str, int, int]
"""One member of an object: its key, and where in the text its value begins and ends."""


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
        found.append((name, key.end(), start + len(text[start:end].rstrip(WHITESPACE))))
    return found


class JsonObject:
    """An object as it is written: read once, changed by its members, written once.

    Attributes:
        text: its bytes.
        values: key → value as it is written; of a key that stands twice, the last one.
    """

    __slots__ = ("_gap", "_places", "text", "values")

    def __init__(self, text: bytes, values: dict[str, Raw] | None = None) -> None:
        """Read an object, without white space around it.

        Args:
            text: the object.
            values: what `objects_without_gaps` has found in it.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is none, or not valid.
        """
        self.text = text
        self.values: dict[str, Raw] = _decode_members(text) if values is None else values
        self._gap = _gap_in(text, self.values) if values is None else 0
        self._places: Sequence[Member] | None = None

    @property
    def repeats_a_key(self) -> bool:
        """Whether a key stands twice."""
        if self._gap is None and self._places is None:
            self._places = _places_of(self.text, self.values)
        return self._gap is None and self._places is None

    def places(self) -> Sequence[Member]:
        """Return the members and where their values stand, in their order."""
        if self._gap is None:
            return members(self.text) or () if self.repeats_a_key else self._places or ()
        before, behind = 3 + self._gap, 1 + self._gap  # the key's quotes and the colon; the comma
        found = []
        at = 1
        for key, value in self.values.items():
            start = at + len(key) + before
            end = start + len(value)
            found.append((key, start, end))
            at = end + behind
        return found

    def changed(self, changes: Mapping[str, bytes | None]) -> bytes:
        """Return the object's bytes with some members changed, and all else as it was.

        Args:
            changes: key → the new value, or None to leave the member out. What is not there yet
                is added at the end.
        """
        added = [
            b"%b:%b" % (_encode(key), value)
            for key, value in changes.items()
            if key not in self.values and value is not None
        ]
        if len(added) == len(changes):
            return with_members(self.text, added)
        pieces: list[bytes] = []
        done = kept = 0  # where what is not written yet begins; where the last member kept ends
        for key, start, end in self.places():
            if key not in changes:
                kept = end
            elif (value := changes[key]) is not None:
                pieces += self.text[done:start], value
                done = kept = end
            elif kept:  # with the comma before it
                pieces.append(self.text[done:kept])
                done = end
            else:  # with the one behind it
                pieces = [b"{"]
                done = _end_of_blank(self.text, end)
                done += self.text[done : done + 1] == b","
        return with_members(b"".join([*pieces, self.text[done:]]), added)


def objects_without_gaps(array: bytes) -> list[dict[str, Raw]] | None:
    """Read an array of objects: the members of each, as they are written.

    Returns:
        The objects; None if a key stands twice, or white space beside a key or a value. Written
        anew, they would be the same bytes.
    """
    found = _decode_objects(array)
    return found if _encode(found) == array else None


def with_members(text: bytes, added: Sequence[bytes]) -> bytes:
    """Return an object's bytes with members put in at its end."""
    if not added:
        return text
    kept = text[:-1]
    if kept[-1] in b"{ \t\n\r":
        kept = kept.rstrip(WHITESPACE)
        if kept == b"{":
            return b"{%b}" % b",".join(added)
    return b"%b,%b}" % (kept, b",".join(added))


def _gap_in(text: bytes, values: Mapping[str, Raw]) -> int | None:
    """Return how much white space is behind each colon and comma, if it is 0, or 1 as in Python.

    Then no key stands twice, and none has an escape in it: the text would be longer.
    """
    signs = len(text) - sum(map(len, values.values())) - len("".join(values))
    if not values or signs == 4 * len(values) + 1:
        return 0
    if signs != 6 * len(values):
        return None
    at = 1
    for key, value in values.items():  # compared where it stands: a copy may be a megabyte
        name = b'%b"%b": ' % (b", " if at > 1 else b"", key.encode())
        if not (text.startswith(name, at) and text.startswith(value, at + len(name))):
            return None
        at += len(name) + len(value)
    return 1


def _places_of(text: bytes, values: Mapping[str, Raw]) -> list[Member] | None:
    """Return where the values of a valid object stand; None if a key stands twice.

    What stands behind a key is its value, or the key has another one further on. Nothing within a
    value is looked at: it may hold a million brackets.
    """
    found: list[Member] = []
    at = 1
    while key := _KEY.match(text, at):
        name = _decode_key(key[1])
        start = key.end()
        if not text.startswith(values[name], start):
            return None
        end = start + len(values[name])
        found.append((name, start, end))
        at = _end_of_blank(text, end)
        if text[at] not in b",}":  # of a longer number
            return None
        at += 1
    return found if len(found) == len(values) else None


def without_lone_surrogates(text: bytes) -> bytes:
    """Return JSON with U+FFFD for each half of a character, and all else where it was.

    JavaScript cuts an emoji in two where it cuts a string, and writes the half as an escape.
    It is no text: msgspec and DuckDB read no document that has one.
    """
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    return _LONE_SURROGATES.sub(lambda found: b"\\ufffd" if found[1] else found[0], text)


def why_no_object(text: bytes) -> str:
    """Return the reason against bytes that could not be read as an object."""
    try:
        for _ in iterdecode(_pieces(text), "utf-8"):
            pass
        # A text far too large for an event may hold millions of values: not one is made of them.
        (_decode if len(text) <= _PIECE else _decode_raw)(text)
    except UnicodeDecodeError:
        return "not_utf8"
    except msgspec.DecodeError:
        return "bad_json"
    except RecursionError:
        return "too_deep"
    return "not_object"


def _pieces(text: bytes) -> Iterator[bytes]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


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
                if _end_of_blank(text, begin) < token.start():
                    spans.append((begin, token.start()))
                return None if text[token.end() :].strip(WHITESPACE) else spans
        elif character == ord(",") and depth == 1:
            if _end_of_blank(text, begin) < token.start():
                spans.append((begin, token.start()))
            if len(spans) == most:
                return spans
            begin = token.end()
    return None


def _end_of_blank(text: bytes, start: int) -> int:
    blank = _BLANK.match(text, start)
    return blank.end() if blank else start
