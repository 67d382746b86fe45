"""How many events were answered and not stored, by the hour: a small file for each UTC day.

No event is in it: names of sources, reasons, numbers. Receivers add to it, the other side reads it.
"""

import fcntl
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from landed.files import FILE_MODE, FOLDER_MODE, write_whole
from landed.folders import NOT_STORED

log = logging.getLogger(__name__)

Counts = dict[str, dict[str, int]]
"""Source → reason → number."""

_Hour = Annotated[str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3])$")]
_Name = Annotated[str, msgspec.Meta(max_length=255)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]  # so many that any sum fits a bigint
_Day = dict[_Hour, dict[_Name, dict[_Name, _Number]]]
"""What a file may say. Another machine has written it: nothing in it may stop who counts."""

_LOCK = ".lock"


def add(landing: Path, moment: datetime, counts: Mapping[str, Mapping[str, int]]) -> None:
    """Add to the counts of an hour; other processes may do so at the same time.

    A file that is none of counts is begun anew: somebody else has written to it.

    Args:
        landing: The landing folder.
        moment: A time in the hour, in UTC.
        counts: What is added.

    Raises:
        OSError: nothing was added.
    """
    folder = landing / NOT_STORED
    folder.mkdir(FOLDER_MODE, exist_ok=True)
    path = _path(landing, moment)
    with _locked(folder):
        day = _read_if_counts(path)
        known = day.setdefault(f"{moment:%H}", {})
        _add(known, counts)
        write_whole(path, msgspec.json.encode(day, order="sorted") + b"\n")


def read(landing: Path, since: datetime, hours: int) -> Counts:
    """Return the counts of some hours together.

    Args:
        landing: The landing folder.
        since: A time in the first hour, in UTC.
        hours: How many.
    """
    found: Counts = {}
    days: dict[str, list[_Day]] = {}
    for moment in (since + timedelta(hours=hour) for hour in range(hours)):
        name = _path(landing, moment).name
        if name not in days:
            days[name] = [_read_if_counts(path) for path in _files(landing, name)]
        for day in days[name]:
            _add(found, day.get(f"{moment:%H}", {}))
    return found


def by_hour(landing: Path, since: datetime | None = None) -> dict[datetime, Counts]:
    """Return the counts of each hour, which is in UTC and without a zone.

    What is called like a file of counts and is none, or cannot be read, is left out, and logged.

    Args:
        landing: The landing folder.
        since: A time in the first day, in UTC; all that are kept if there is none.
    """
    first = f"{since:%Y-%m-%d}" if since else ""
    found: dict[datetime, Counts] = {}
    for path in _files(landing, "*.json"):
        if path.stem >= first:
            try:
                day = _read(path)
            except (OSError, ValueError) as error:
                log.warning("The counts of what was not stored in %s are left out: %s", path, error)
                continue
            for hour, counts in day.items():
                with suppress(ValueError):  # of a day that is none
                    of_hour = datetime.fromisoformat(f"{path.stem}T{hour}:00")
                    _add(found.setdefault(of_hour, {}), counts)
    return found


def _files(landing: Path, name: str) -> list[Path]:
    """Files of counts: those of this machine, and those that other receivers have shipped."""
    folder = landing / NOT_STORED
    return sorted([*folder.glob(name), *folder.glob(f"*/{name}")])


def _add(known: Counts, more: Mapping[str, Mapping[str, int]]) -> None:
    for source, reasons in more.items():
        of_source = known.setdefault(source, {})
        for reason, number in reasons.items():
            of_source[reason] = of_source.get(reason, 0) + number


def _path(landing: Path, moment: datetime) -> Path:
    return landing / NOT_STORED / f"{moment:%Y-%m-%d}.json"


def _read(path: Path) -> _Day:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Day)
    except FileNotFoundError:
        return {}


def _read_if_counts(path: Path) -> _Day:
    try:
        return _read(path)
    except ValueError:  # of msgspec, or no UTF-8
        return {}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out for the length of a `with` block; the kernel frees it."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
