"""Whose event is this? The ids in events, rejected bodies and damaged lines, and people by hash.

A person is known by the keyed hash of a user id or an anonymous id. Of an event its own `userId`,
`anonymousId` and `previousId` count, and what it says elsewhere does not. Bytes that cannot be read
count as a person's if one of these keys stands in them with the id, or the id itself.
"""

import hmac
import json
import re
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from landed.ids import (
    ANONYMOUS,
    IN_BYTES,
    KINDS,
    SHOWN_NUL,
    USER,
    folded,
    text_of,
    without_halves,
    written_ids,
)
from landed.line import PAYLOAD
from landed.packed import GZIP_MAGIC, gunzip

__all__ = ["ANONYMOUS", "USER", "Id", "People", "Person", "hash_of"]

_SPELLED_ONE_WAY = re.compile(r"[0-9A-Za-z_.~-]+")
_BODY = re.compile(rb'"body":"([A-Za-z0-9+/]*)')
_UNPACKED_BYTES = 256 * 1024 * 1024
_FEW_SPELLINGS = 100  # so many are looked for one by one, at a gigabyte a second
_SHORTEST = 4
_SHORTEST_NUMBER = 6


class Id(NamedTuple):
    """An id as text, and what it is."""

    kind: str
    text: str


class Person(NamedTuple):
    """An id's kind and its hash: all that is ever written down."""

    kind: str
    hash: str


Found = Counter[tuple[Person, str]]
"""How many lines there were of whom, and in which file."""


def is_long_enough(one: Id) -> bool:
    """Whether an id that stands somewhere by itself is one: `7`, `bob` and a year are words."""
    return len(one.text) >= (_SHORTEST_NUMBER if one.text.isdigit() else _SHORTEST)


def hash_of(key: bytes, one: Id) -> str:
    """The hash an id is known by: HMAC-SHA256 over kind, NUL and id as the tables show it."""
    return _hash(key, shown(one))


def shown(one: Id) -> Id:
    """An id as the tables show it, and so as it is named: no text of theirs has a NUL."""
    return Id(one.kind, one.text.replace("\0", SHOWN_NUL))


def near_hash_of(key: bytes, one: Id) -> str:
    """The hash of what is alike in an id and in those that are nearly the same."""
    return _hash(key, Id("near", folded(one.text)))


def _hash(key: bytes, one: Id) -> str:
    text = f"{one.kind}\0{one.text}".encode("utf-8", "surrogatepass")
    return hmac.digest(key, text, "sha256").hex()


def ids_of_event(event: bytes) -> list[Id] | None:
    """The ids an event has itself; None if it cannot be read as an object."""
    try:
        return list(_ids(written_ids(event).items()))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _ids(written: Iterable[tuple[str, bytes]]) -> Iterator[Id]:
    """What fields and the ids in them, as they are written, may be."""
    for name, token in written:
        for kind in KINDS[name]:
            yield Id(kind, text_of(token))


class People:
    """Some people, and whether something is theirs."""

    def __init__(
        self,
        key: bytes,
        people: Iterable[Person],
        ids: Iterable[Id] = (),
        *,
        in_broken: Iterable[Person] | None = None,
    ) -> None:
        """Take who they are.

        Args:
            key: The key of the hashes.
            people: All of them.
            ids: The ids of those of whom they are known; what cannot be read is searched for them.
            in_broken: Those to whom what cannot be read may belong; all if not given.
        """
        self.people = frozenset(people)
        self.ids = frozenset(map(shown, ids))
        self._key = key
        self._in_broken = self.people if in_broken is None else self.people & frozenset(in_broken)

    @cached_property
    def _spelled(self) -> dict[bytes, tuple[Person, ...]]:
        """How an id is written → whose it is: looked up, as there may be a million."""
        spelled: dict[bytes, tuple[Person, ...]] = {}
        for one in self.ids:
            for form in _spellings(one.text):
                spelled[form] = (*spelled.get(form, ()), self.person(one))
        return spelled

    @cached_property
    def _lengths(self) -> dict[int, set[int]]:
        """First byte → how long the spelled ids are that begin with it."""
        lengths: dict[int, set[int]] = defaultdict(set)
        for form in self._spelled:
            lengths[form[0]].add(len(form))
        return lengths

    @cached_property
    def _beginning(self) -> re.Pattern[bytes]:
        """Where one may begin: of a body of megabytes few bytes are looked at one by one."""
        firsts = b"".join(re.escape(bytes([first])) for first in sorted(self._lengths))
        return re.compile(rb"(?<![0-9A-Za-z])[" + firsts + rb"]" if firsts else rb"(?!)")

    @cached_property
    def _told_by_themselves(self) -> set[Person]:
        """Those whose id means something wherever it stands."""
        return {self.person(one) for one in self.ids if is_long_enough(one)} & self._in_broken

    def person(self, one: Id) -> Person:
        """The person of an id, whether one of these or not."""
        return Person(one.kind, hash_of(self._key, one))

    def knowing(self, ids: Iterable[Id]) -> "People":
        """The same people, of whom these ids are known."""
        known = self.ids | frozenset(ids)
        return People(self._key, self.people, known, in_broken=self._in_broken)

    def spell(self) -> None:
        """Make what known ids are looked up in now, which takes seconds of a million, not later."""
        self._lengths  # noqa: B018 - kept from now on

    def short_ids(self) -> int:
        """How many known ids are not looked for by themselves in what cannot be read."""
        return sum(
            not is_long_enough(one) for one in self.ids if self.person(one) in self._in_broken
        )

    def named_in(self, text: bytes) -> Iterator[Person]:
        """Those of whom a known id stands in some bytes, between no other letters and digits."""
        if len(self._spelled) <= _FEW_SPELLINGS:
            for form, people in self._spelled.items():
                if _stands_alone(form, text):
                    yield from people
            return
        for first in self._beginning.finditer(text):
            begin = first.start()
            for length in self._lengths[text[begin]]:
                end = begin + length
                if not text[end : end + 1].isalnum():
                    yield from self._spelled.get(text[begin:end], ())

    def stand_in(self, text: bytes) -> bool:
        """Whether a known id of them stands in some bytes."""
        return any(True for _ in self.named_in(text))

    def whose(self, ids: Iterable[Id]) -> set[Person]:
        """Which of these people some ids are."""
        found = set()
        for one in ids:
            found.add(self.person(one))
            if "\0" in one.text:  # whoever was written down before is known by the NUL too
                found.add(Person(one.kind, _hash(self._key, one)))
        return found & self.people

    def of_event(self, event: bytes) -> set[Person]:
        """Whose an event is."""
        ids = ids_of_event(event)
        return self.whose(ids) if ids is not None else self._of_broken(event)

    def of_line(self, line: bytes) -> set[Person]:
        """Whose a landed line is, whatever its folder, damaged or torn ones too."""
        _, is_event, payload = line.partition(PAYLOAD)
        if is_event:
            ids = ids_of_event(payload[:-1])
            return self.whose(ids) if ids is not None else self._of_broken(line)
        found = _BODY.search(line)
        if not found:
            return self._of_broken(line)
        text = found[1]
        if len(text) % 4 == 1:  # of a torn line
            text = text[:-1]
        return self.of_body(b64decode(text + b"=" * (-len(text) % 4)))

    def of_body(self, body: bytes) -> set[Person]:
        """Whose a rejected body is: of one that is a batch, or cannot be read, anybody's in it."""
        if body.startswith(b'{"v":'):
            return self.of_line(body)  # a damaged line
        found: set[Person] = set()
        for text in _texts(body):
            try:
                value = json.loads(
                    text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number
                )
            except (ValueError, RecursionError):
                found |= self._of_broken(text)
            else:
                found |= self.whose(_ids_of_value(value))
        return found

    def _of_broken(self, text: bytes) -> set[Person]:
        if not self._in_broken:
            return set()
        keys = {(name.decode(), token) for name, token in IN_BYTES.findall(text)}
        found = self.whose(_ids(keys)) & self._in_broken
        if self._told_by_themselves:
            found.update(self._told_by_themselves.intersection(self.named_in(text)))
        return found


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its members, also those of one name."""


class _Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def _ids_of_value(value: Any) -> Iterator[Id]:
    if isinstance(value, _Pairs):
        for name, member in value:
            if name in KINDS and isinstance(member, str):
                yield from (Id(kind, without_halves(member)) for kind in KINDS[name])
            elif name == "batch":
                yield from _ids_of_value(member)
    elif isinstance(value, list):
        for element in value:
            yield from _ids_of_value(element)


def _texts(body: bytes) -> Iterator[bytes]:
    """A body, and what it is when it is unpacked, or not in UTF-8."""
    yield body
    if body.startswith(GZIP_MAGIC):
        pieces, _ = gunzip(body, _UNPACKED_BYTES)
        yield b"".join(pieces)
    if b"\0" in body[:200]:
        for encoding in ("utf-16-le", "utf-16-be"):
            yield body.decode(encoding, "replace").encode("utf-8", "replace")


def _stands_alone(form: bytes, text: bytes) -> bool:
    """Whether a form of an id stands in some bytes, between no other letters and digits."""
    begin = text.find(form)
    while begin >= 0:
        end = begin + len(form)
        if not text[max(begin - 1, 0) : begin].isalnum() and not text[end : end + 1].isalnum():
            return True
        begin = text.find(form, begin + 1)
    return False


def _spellings(text: str) -> set[bytes]:
    """An id in bytes: plain, escaped as in JSON or in an address."""
    if _SPELLED_ONE_WAY.fullmatch(text):
        return {text.encode()}
    forms: set[str] = set()
    for sent in (text, text.replace(SHOWN_NUL, "\0")):
        escaped = json.dumps(sent)[1:-1]
        forms |= {sent, json.dumps(sent, ensure_ascii=False)[1:-1], escaped, quote(sent, safe="")}
        forms.add(re.sub(r"\\u[0-9a-f]{4}", lambda one: "\\u" + one[0][2:].upper(), escaped))
    return {form.encode("utf-8", "surrogatepass") for form in forms if form}
