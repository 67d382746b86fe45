"""The backlog: sealed files that the loader has not moved on yet, and the space that is left."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from landed.folders import FOLDERS

PLENTY = 1 << 62
"""Bytes that are free in an object store."""

MOST_ENTRIES = 20_000
"""So many of a folder's entries are looked at: a look may not take longer, the longer nobody
loads."""

_START = "%Y%m%dT%H%M%S%fZ"


class Backlog(NamedTuple):
    """The sealed files of one folder: how many, and how old the oldest is."""

    files: int = 0
    age_seconds: float = 0


class Standing(NamedTuple):
    """How a landing folder stands."""

    backlogs: Mapping[str, Backlog]
    free_bytes: int


def standing_of(landing: Path) -> Standing:
    """Look at a landing folder."""
    return Standing(
        {folder: backlog_of(landing / folder) for folder in FOLDERS}, free_bytes(landing)
    )


def free_bytes(landing: Path) -> int:
    """Return the free space of the disk that events land on."""
    try:
        space = os.statvfs(landing)
    except FileNotFoundError:  # moved away: nothing can be landed
        return 0
    return space.f_bavail * space.f_frsize


def backlog_of(folder: Path) -> Backlog:
    """Count the sealed files of a folder; their names say since when they are there."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except FileNotFoundError:  # no event of this call yet
        return Backlog()
    sealed = [name for name in names if name.endswith(".ndjson")]
    return Backlog(len(sealed), _age(min(sealed))) if sealed else Backlog()


def _age(name: str) -> float:
    try:
        start = datetime.strptime(name.partition("-")[0], _START).replace(tzinfo=UTC)
    except ValueError:  # not one of ours
        return 0
    return max(0.0, time.time() - start.timestamp())
