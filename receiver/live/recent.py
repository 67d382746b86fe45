"""What has lately arrived, read from the ends of the landed files.

They are there for the loader, are shared by all processes, and an erasure empties the lines in
them: nothing of an event is kept for this page.
"""

import heapq
import os
import re
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from landed import not_stored
from landed.folders import FOLDERS, REJECTED
from landed.line import CRC
from receiver.files.envelope import is_whole

OF_A_SOURCE = 50
"""The most events of one source in an answer."""

STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
"""How times are written, in UTC."""

_LOOK_BACK = timedelta(hours=2)
_OVERLAP = timedelta(seconds=6)  # an event is on the disk seconds after it was stamped
_FILES = 256  # that are looked into, of a call
_FOLDER_BYTES = 4 << 20  # that are read of a call's files
_PIECE = 256 << 10
_SHOWN_BYTES = 2 << 20  # of JSON in an answer
_EVENT_BYTES = 64 << 10
_PLACE = re.compile(
    rb'"received_at":"([^"]{27})","sent_at":(?:null|"(?:[^"\\]|\\.)*"),"source":("(?:[^"\\]|\\.)*")'
)


class _Line(msgspec.Struct):
    """A landed line, as landing/README.md has it."""

    received_at: str
    source: str
    message_id: str | None = None
    credential: str | None = None
    payload: msgspec.Raw = msgspec.Raw(b"null")
    call: str | None = None
    reason: str | None = None
    body: str | None = None


class _Fields(msgspec.Struct, rename="camel"):
    """What a row of the page says of an event."""

    event: Any = None
    name: Any = None
    user_id: Any = None
    anonymous_id: Any = None


def recent_events(landing: Path, since: datetime | None) -> dict[str, Any]:
    """Return what has landed last of each source, the newest first.

    Args:
        landing: the landing folder.
        since: what arrived earlier was shown already, but for the last seconds before it.

    Returns:
        `events`, each with an `id` that it keeps; `left_out`, by source, how many more have
        come since then in what was read; `now`.
    """
    now = datetime.now(UTC)
    earliest = now - _LOOK_BACK
    after = max(earliest, since) - _OVERLAP if since else earliest
    stamp = after.strftime(STAMP).encode()
    shown = max(earliest, since or now).strftime(STAMP).encode()
    by_source: dict[bytes, list[tuple[bytes, str, bytes]]] = defaultdict(list)
    left_out: dict[str, int] = defaultdict(int)
    for folder in FOLDERS:
        for line in _lines(landing, folder, after):
            found = _PLACE.search(line)
            if not found or found[1] <= stamp:
                continue
            kept, one = by_source[found[2]], (found[1], folder, line)
            if len(kept) < OF_A_SOURCE:
                heapq.heappush(kept, one)
            else:
                dropped = heapq.heappushpop(kept, one)
                if since and dropped[0] > shown:
                    left_out[msgspec.json.decode(found[2], type=str)] += 1
    newest = sorted((one for kept in by_source.values() for one in kept), reverse=True)
    left = _SHOWN_BYTES
    events = []
    for _, folder, line in newest:
        if is_whole(line):
            event = _event(folder, line, min(left, _EVENT_BYTES))
            left = max(0, left - len(event["json"]))
            events.append(event)
    return {"now": now.strftime(STAMP), "events": events, "left_out": left_out}


def not_stored_counts(landing: Path) -> list[dict[str, Any]]:
    """Return how many events of this hour and the one before were answered and not stored.

    Of whom they were is not in it, nor what.
    """
    now = datetime.now(UTC)
    return [
        {"hour": f"{hour:%Y-%m-%dT%H}", "source": source, "reason": reason, "number": number}
        for hour in (now - timedelta(hours=1), now)
        for source, reasons in not_stored.read(landing, hour, 1).items()
        for reason, number in reasons.items()
    ]


def _lines(landing: Path, folder: str, after: datetime) -> Iterator[bytes]:
    """Yield the last lines of a folder's files, those of the newest files first."""
    left = _FOLDER_BYTES
    for path in _newest_files(landing, folder):
        data, is_from_start = _end_of(path, left, after.timestamp())
        left -= len(data)
        lines = data.splitlines(keepends=True)
        yield from reversed(lines if is_from_start else lines[1:])
        if left <= 0:
            return


def _newest_files(landing: Path, folder: str) -> list[Path]:
    """Return a call's files that live senders wrote; their names begin with their start."""
    found: dict[str, Path] = {}
    for place in (landing / "loaded" / folder, landing / folder):
        try:
            names = os.listdir(place)  # noqa: PTH208 - thousands of names, a second apart
        except FileNotFoundError:
            continue
        for name in names:
            if name.endswith((".ndjson", ".ndjson.open")) and "-import-" not in name:
                found[name] = place / name
    return [found[name] for name in heapq.nlargest(_FILES, found)]


def _end_of(path: Path, most: int, after: float) -> tuple[bytes, bool]:
    """Return a file's last bytes, and whether they are all of it; none if it is older than that.

    A file that is sealed or loaded meanwhile is looked for in its next place.
    """
    sealed = path.name.removesuffix(".open")
    call = path.parent.name
    landing = path.parents[2] if path.parents[1].name == "loaded" else path.parents[1]
    for place in (path, landing / call / sealed, landing / "loaded" / call / sealed):
        try:
            with place.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_mtime < after:
                    break
                start = max(0, status.st_size - most)
                file.seek(start)
                return file.read(most), start == 0
        except FileNotFoundError:
            continue
    return b"", True


def _event(folder: str, line: bytes, most: int) -> dict[str, Any]:
    """Return what the page shows of a landed line."""
    landed = msgspec.json.decode(line, type=_Line)
    body = b64decode(landed.body) if landed.body is not None else bytes(landed.payload)
    fields = _fields_of(body)
    return {
        "id": f"{folder}-{landed.received_at}-{line[CRC].decode()}",
        "received_at": landed.received_at,
        "source": landed.source,
        "credential": landed.credential,
        "call": landed.call if folder == REJECTED else folder,
        "verdict": "rejected" if folder == REJECTED else "landed",
        "reason": landed.reason,
        "event": _text(fields.event if fields.event is not None else fields.name),
        "message_id": landed.message_id,
        "user_id": _text(fields.user_id),
        "anonymous_id": _text(fields.anonymous_id),
        "json": _readable(body, most),
        "is_cut": len(body) > most,
    }


def _fields_of(body: bytes) -> _Fields:
    try:
        return msgspec.json.decode(body, type=_Fields)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Fields()  # rejected for it, most likely


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text[:200]


def _readable(body: bytes, most: int) -> str:
    """Return JSON with a member on each line, its numbers as they were sent; else the text."""
    if len(body) <= most:
        with suppress(msgspec.DecodeError, RecursionError):
            body = msgspec.json.format(body, indent=2)
    return body[: 4 * most].decode(errors="replace")
