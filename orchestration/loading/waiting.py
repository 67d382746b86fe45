"""What waits to be loaded: the lines of files that are sealed or still being written."""

import re
from collections import Counter
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from landed.folders import FOLDERS, REJECTED
from orchestration.loading.insert import UNKNOWN

Key = tuple[str, str, datetime]
"""Call, source and hour in UTC."""

_TEXT = rb'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rb'(?!\n)(?:\{"v":1,"crc":"[0-9a-f]{8}","message_id":(?:null|'
    + _TEXT
    + rb'),"received_at":"(\d{4}-\d\d-\d\dT\d\d)[^"]*","sent_at":(?:null|'
    + _TEXT
    + rb'),"source":"([^"\\]*)"(?:,"credential":"[a-z]*")?'
    rb'(?:,"call":(?:null|"([a-z]+)"))?)?[^\n]*\n'
)
_HOUR_OF_NAME = "%Y%m%dT%H"
_START = len("20261122T05")


def waiting_files(landing: Path) -> list[Path]:
    """The files that are sealed or being written, in the folders of the calls, each once."""
    found = {}
    # first the open ones: what is sealed between the two looks is then seen twice, not never
    for pattern in ("*.ndjson.open", "*.ndjson"):
        for folder in FOLDERS:
            for path in (landing / folder).glob(pattern):
                found[folder, path.name.removesuffix(".open")] = path
    return sorted(found.values())


def count_lines(paths: list[Path]) -> Counter[Key]:
    """Count whole lines by what they say of themselves, without proving them.

    A line that does not say it counts under the call of its folder and the hour of its file; an
    empty line is none.
    """
    counted: Counter[Key] = Counter()
    for path in paths:
        data = _read(path)
        folder = path.parent.name
        begun = _hour_of(path.name)
        for _, hour, _, source, call in _LINE.findall(data):
            counted[
                call.decode() or (UNKNOWN if folder == REJECTED else folder),
                source.decode() or UNKNOWN,
                _hour(hour.decode(), "%Y-%m-%dT%H") or begun,
            ] += 1
    return counted


def _read(path: Path) -> bytes:
    """A file that was listed: sealed since then perhaps, or removed, as it held no whole line."""
    for name in (path.name, path.name.removesuffix(".open")):
        with suppress(FileNotFoundError):
            return path.with_name(name).read_bytes()
    return b""


def _hour_of(name: str) -> datetime:
    return _hour(name[:_START], _HOUR_OF_NAME) or datetime(1970, 1, 1)  # noqa: DTZ001


def _hour(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return None
