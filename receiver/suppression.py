"""Suppression: people whose events are answered 200 and not stored, as landing/suppressed/ says.

The list holds keyed hashes of ids. Every worker looks for itself whether it has changed, a few
times a second at most and only when a request comes. Nothing is looked at where it is empty.
"""

import hmac
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import structlog
from msgspec import Raw

FOLDER = "suppressed"

_SHOWN_NUL = "\ufffd"  # what the tables have in the place of a NUL

_LOOK_EVERY = 0.25
_MOST_IDS = 10_000  # that are looked for in one body

# A field of an event, and what its id may be.
_KINDS = {
    "userId": ("user",),
    "anonymousId": ("anonymous",),
    "previousId": ("user", "anonymous"),
}
_IN_BYTES = re.compile(
    rb'"(userId|anonymousId|previousId)"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)', re.DOTALL
)

log = structlog.get_logger()


class _Entry(msgspec.Struct):
    kind: str
    hash: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    suppressed: bool


class _Ids(msgspec.Struct):
    """The ids of an event as they are written: a number's digits count, not its value."""

    userId: Raw = Raw(b"null")  # noqa: N815 - Segment's names
    anonymousId: Raw = Raw(b"null")  # noqa: N815
    previousId: Raw = Raw(b"null")  # noqa: N815


_decode_entry = msgspec.json.Decoder(_Entry).decode
_decode_ids = msgspec.json.Decoder(_Ids).decode


class SuppressedPeople:
    """Who is suppressed."""

    def __init__(self, key: bytes, people: Iterable[tuple[str, str]]) -> None:
        """Take them.

        Args:
            key: the key of the hashes.
            people: the kind of each id, and its hash.
        """
        self._hashes: dict[str, set[bytes]] = {}
        for kind, digest in people:
            self._hashes.setdefault(kind, set()).add(bytes.fromhex(digest))
        # of each kind that is there: the hash as far as it is the same for all ids
        self._begun = {
            kind: hmac.new(key, kind.encode() + b"\0", "sha256") for kind in self._hashes
        }

    def __len__(self) -> int:
        """Say how many ids there are."""
        return sum(map(len, self._hashes.values()))

    def has_sent(self, event: Mapping[str, Any], item: bytes) -> bool:
        """Say whether an event is one of theirs.

        Args:
            event: the event, decoded.
            item: the same event's bytes.
        """
        for name, kinds in _KINDS.items():
            value = event.get(name)
            if type(value) is str:
                text = value
            elif type(value) in (int, float):
                text = bytes(getattr(_decode_ids(item), name)).decode()
            else:
                continue
            if self._includes(kinds, text):
                return True
        return False

    def is_in(self, body: bytes) -> bool:
        """Say whether bytes that cannot be used are theirs.

        Where they can be read as an event, its own ids say it. Else it is any id in them: they may
        be a batch, or broken.
        """
        try:
            own = _tokens(_decode_ids(body))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            own = set()
        found = own or {(one[1].decode(), one[2]) for one in _first(_IN_BYTES.finditer(body))}
        return any(self._includes(_KINDS[name], _text_of(token)) for name, token in found)

    def _includes(self, kinds: Iterable[str], text: str) -> bool:
        # a person is written down by the id that the tables show; before, it was by the NUL
        texts = [text, text.replace("\0", _SHOWN_NUL)] if "\0" in text else [text]
        for kind in kinds:
            if kind in self._begun:
                for one in texts:
                    hashed = self._begun[kind].copy()
                    hashed.update(one.encode("utf-8", "surrogatepass"))
                    if hashed.digest() in self._hashes[kind]:
                        return True
        return False


def _tokens(ids: _Ids) -> set[tuple[str, bytes]]:
    """Return the ids that are there, as they are written."""
    tokens = {(name, bytes(getattr(ids, name))) for name in _KINDS}
    return {(name, token) for name, token in tokens if token[:1] in b'"-0123456789'}


def _first(found: Iterable[re.Match[bytes]]) -> Iterator[re.Match[bytes]]:
    return islice(found, _MOST_IDS)


def _text_of(token: bytes) -> str:
    if not token.startswith(b'"'):
        return token.decode()
    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1].decode(errors="replace")


class _FileState(NamedTuple):
    inode: int = 0
    size: int = 0
    modified: int = 0


class LiveSuppression:
    """Who is suppressed now. The list is replaced as a whole, so it is never read half-way."""

    def __init__(self, landing: Path) -> None:
        """Look at a landing folder's list from now on."""
        self._folder = landing / FOLDER
        self._list = self._folder / "list.ndjson"
        self._read = _FileState()
        self._people: SuppressedPeople | None = None
        self._look_again = 0.0

    def current(self) -> SuppressedPeople | None:
        """Return who is suppressed; None if nobody is."""
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + _LOOK_EVERY
            self._look()
        return self._people

    def _look(self) -> None:
        try:
            found = self._list.stat()
        except OSError:
            state = _FileState()
        else:
            state = _FileState(found.st_ino, found.st_size, found.st_mtime_ns)
        if state == self._read:
            return
        self._read = state
        trouble: list[object] = []
        try:
            self._people = self._load(trouble) if state != _FileState() else None
        except (OSError, ValueError) as error:  # the key; those who were suppressed still are
            trouble.append(error)
        if trouble:
            log.error("suppressed_not_read", problem=str(trouble[0]), damaged=len(trouble))
        else:
            log.info("suppressed_read", people=len(self._people or ()))

    def _load(self, trouble: list[object]) -> SuppressedPeople | None:
        """Read the list; lines of it that are damaged are trouble, and the others hold."""
        people = set()
        for line in self._list.read_bytes().splitlines():
            try:
                entry = _decode_entry(line)
            except msgspec.DecodeError as error:
                trouble.append(error)
            else:
                if entry.suppressed:
                    people.add((entry.kind, entry.hash))
        if not people:
            return None
        return SuppressedPeople(bytes.fromhex((self._folder / "key").read_text()), people)
