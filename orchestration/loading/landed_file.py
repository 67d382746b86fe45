"""Reading landed files as landing/README.md describes them: whole lines, or a reason."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

import msgspec

from landed.folders import FOLDERS, REJECTED
from landed.line import COVERED, CRC, HEAD, MAX_DEPTH, PAYLOAD, checksum

_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_OPENING = {b"{", b"["}
_CLOSING = {b"}", b"]"}


@dataclass(frozen=True)
class LandedFile:
    """A sealed file and the call whose folder it lies in."""

    path: Path
    call: str

    @property
    def name(self) -> str:
        """What the ledger and the raw tables know it by; unique for ever."""
        return self.path.name

    @property
    def key(self) -> str:
        """What the journal knows it by."""
        return f"{self.call}/{self.name}"


class Line(NamedTuple):
    """A good line: an event, and what is known of it."""

    message_id: str
    received_at: str
    sent_at: str | None
    source: str
    credential: str | None
    payload: bytes
    """UTF-8."""
    line: int


@dataclass
class Lines:
    """Good lines, a list for each of their columns."""

    message_id: list[str] = field(default_factory=list)
    received_at: list[str] = field(default_factory=list)
    sent_at: list[str | None] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    credential: list[str | None] = field(default_factory=list)
    payload: list[bytes] = field(default_factory=list)
    line: Sequence[int] = field(default_factory=list)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Lines":
        """Lines that are there one by one."""
        columns = list(zip(*lines, strict=True))
        return cls(*map(list, columns)) if columns else cls()

    def __len__(self) -> int:
        """How many they are."""
        return len(self.line)

    def __iter__(self) -> Iterator[Line]:
        """Them, one by one."""
        columns = (getattr(self, column.name) for column in fields(self))
        return map(Line._make, zip(*columns, strict=True))


class Reject(NamedTuple):
    """What cannot be used: rejected by the receiver, or damaged since."""

    message_id: str | None
    received_at: str | None
    sent_at: str | None
    source: str | None
    credential: str | None
    call: str | None
    reason: str
    body: bytes
    line: int


@dataclass
class Contents:
    """What a landed file holds."""

    file: LandedFile
    bytes: int
    sha256: str
    lines: Lines = field(default_factory=Lines)
    rejects: list[Reject] = field(default_factory=list)
    load_id: int = 0
    """The load that takes it, once one does."""


class _Envelope(msgspec.Struct):
    message_id: str
    received_at: str
    sent_at: str | None
    source: str
    credential: str | None = None


class _RejectedEnvelope(msgspec.Struct):
    message_id: str | None
    received_at: str
    sent_at: str | None
    source: str
    call: str | None
    reason: str
    body: bytes  # msgspec reads base64
    credential: str | None = None


_ESCAPED_NUL = b"\\u0000"

_envelope = msgspec.json.Decoder(_Envelope)
_envelopes = msgspec.json.Decoder(list[_Envelope])
_rejected_envelope = msgspec.json.Decoder(_RejectedEnvelope)


class DamagedLineError(Exception):
    """A line is not what the receiver wrote; the text is the reason in one word."""


def sealed_files(landing: Path, folders: tuple[str, ...] = FOLDERS) -> Iterator[LandedFile]:
    """The files that wait to be loaded, folder by folder, the oldest first in each."""
    for folder in folders:
        for path in sorted((landing / folder).glob("*.ndjson")):
            yield LandedFile(path, folder)


def waiting_folders(landing: Path, folders: tuple[str, ...] = FOLDERS) -> list[str]:
    """The folders in which a sealed file waits, found without listing all that do."""
    return [folder for folder in folders if _has_sealed_file(landing / folder)]


def _has_sealed_file(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(entry.name.endswith(".ndjson") for entry in entries)
    except FileNotFoundError:
        return False


def read(file: LandedFile) -> Contents:
    """Read a sealed file and prove each line whole; see `parse`."""
    return parse(file, file.path.read_bytes())


def parse(file: LandedFile, data: bytes) -> Contents:
    """Prove each line of a sealed file whole.

    Returns:
        Its lines, and apart from them those that cannot be used, each with its reason. No damage
        to one line touches another, and an empty line is none, but counts.
    """
    contents = Contents(file, len(data), hashlib.sha256(data).hexdigest())
    is_rejected = file.call == REJECTED
    if not is_rejected and (lines := _whole_lines(data)):
        contents.lines = lines
        return contents
    good = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line:
            continue
        try:
            if is_rejected:
                contents.rejects.append(_reject(line, number))
            else:
                good.append(_event(line, number))
        except DamagedLineError as damage:
            call = None if is_rejected else file.call
            unknown = (None,) * 5
            contents.rejects.append(Reject(*unknown, call, str(damage), line, number))
    contents.lines = Lines.of(good)
    return contents


def _whole_lines(data: bytes) -> Lines | None:
    """The lines of a file that are all good, as almost every file's are, in a third of the time.

    Returns:
        What `_event` says of each; nothing if it has anything to say of one but that it is good.
    """
    lines = data.split(b"\n")
    if lines.pop() or not lines:
        return None
    heads, payloads = [], []
    for line in lines:
        covered = line[COVERED]
        head, _, payload = covered.partition(PAYLOAD)
        if (
            line[CRC] != checksum(covered)
            or not line.startswith(HEAD)
            or not payload.endswith(b"}")
            or is_too_deep(payload)
        ):
            return None
        heads.append(head[1:])
        payloads.append(payload[:-1])
    envelopes = b"[{%b}]" % b"},{".join(heads)
    try:
        data.decode()
        known = _envelopes.decode(envelopes)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(known) != len(lines) or _ESCAPED_NUL in envelopes:
        return None
    return Lines(
        [one.message_id for one in known],
        [one.received_at for one in known],
        [one.sent_at for one in known],
        [one.source for one in known],
        [one.credential for one in known],
        payloads,
        range(1, len(lines) + 1),
    )


def _covered(line: bytes) -> bytes:
    """The bytes of a line behind its checksum, once the checksum holds."""
    if not line.startswith(HEAD):
        raise DamagedLineError("unknown_version" if line.startswith(b'{"v":') else "no_envelope")
    covered = line[COVERED]
    if line[CRC] != checksum(covered):
        raise DamagedLineError("crc")
    return covered


def _event(line: bytes, number: int) -> Line:
    covered = _covered(line)
    head, found, payload = covered.partition(PAYLOAD)
    if not found or not payload.endswith(b"}"):
        raise DamagedLineError("no_payload")
    payload = payload[:-1]
    if is_too_deep(payload):
        raise DamagedLineError("too_deep")
    try:
        known = _envelope.decode(b"{" + head[1:] + b"}")
        payload.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DamagedLineError("no_envelope") from None
    return Line(
        without_nul(known.message_id),
        known.received_at,
        known.sent_at and without_nul(known.sent_at),
        known.source,
        known.credential and without_nul(known.credential),
        payload,
        number,
    )


def _reject(line: bytes, number: int) -> Reject:
    try:
        known = _rejected_envelope.decode(b"{" + _covered(line)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DamagedLineError("no_envelope") from None
    return Reject(
        known.message_id and without_nul(known.message_id),
        known.received_at,
        known.sent_at and without_nul(known.sent_at),
        known.source,
        known.credential and without_nul(known.credential),
        known.call,
        known.reason,
        known.body,
        number,
    )


def without_nul(text: str) -> str:
    r"""A text as a table may hold it: each NUL as JSON writes it, `\u0000`.

    DuckLake writes what a query looks for into SQL of its own, and a NUL would end that.
    """
    return text.replace("\0", "\\u0000")


def is_too_deep(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether JSON is nested deeper than `limit`, without parsing it.

    Counting all brackets is enough for almost every event; the few that have more are walked.
    """
    if text.count(b"{") + text.count(b"[") <= limit:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        if token[0] in _OPENING:
            depth += 1
            if depth > limit:
                return True
        elif token[0] in _CLOSING:
            depth -= 1
    return False
