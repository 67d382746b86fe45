"""The files of past loads: packed by the hour into archives, and those removed after their time."""

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from orchestration.loading.archive import (
    DamagedArchiveError,
    archives_to_expire,
    expire,
    hours_to_pack,
    pack_hour,
)
from orchestration.loading.insert import files_of_hour, known_checksums
from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.warehouse.connection import connect

log = logging.getLogger(__name__)

REST = timedelta(hours=1)
"""How long after its end an hour is packed: by then its late files are loaded too."""


@dataclass
class Packed:
    """What was done."""

    files: int = 0
    archives_expired: int = 0
    strange: list[str] = field(default_factory=list)
    """Files in `loaded/` that are not what was loaded: they are left there."""
    longest_lock_seconds: float = 0.0


def pack_loaded_files(settings: Settings, now: datetime | None = None) -> Packed:
    """Pack each hour that is over, and remove archives older than `SEAMLINE_ARCHIVE_DAYS`.

    Safe to kill at any point: a file goes once an archive with it is proved and on the disk.

    Args:
        settings: Where the files are, and how long to keep archives.
        now: The time, if not this moment, in UTC.

    Raises:
        WriterBusyError: another writer did not finish in time; what was packed before stays.
        DamagedArchiveError: archives cannot be read; files of their hours stay, all else is done.
    """
    now = now or datetime.now(UTC)
    done = Packed()
    damaged: list[str] = []
    locks = ShortLocks(settings)
    for call, hour, paths in hours_to_pack(settings.landing, now - REST):
        # under a lock of its own, for an erasure rewrites the same files
        with locks.hold():
            # another upkeep may have packed some since they were listed
            paths = [path for path in paths if path.exists()]  # noqa: PLW2901
            with connect(settings) as con:
                known = known_checksums(con, [path.name for path in paths])
            try:
                strange = pack_hour(settings.landing, call, hour, paths, known)
            except DamagedArchiveError as damage:
                damaged.append(str(damage))
                continue
        done.files += len(paths) - len(strange)
        done.strange += strange
    if settings.archive_days is not None:
        before = now - timedelta(days=settings.archive_days)
        for call, path in archives_to_expire(settings.landing, before):
            with locks.hold():  # likewise
                expire(settings.landing, call, path, partial(_loaded_of, settings))
            done.archives_expired += 1
    for name in done.strange:
        log.error("%s is not what was loaded, and stays in loaded/. `make verify` says more.", name)
    if damaged:
        raise DamagedArchiveError(". ".join(damaged))
    done.longest_lock_seconds = locks.longest_seconds
    return done


def _loaded_of(settings: Settings, call: str, hour: str) -> set[str]:
    with connect(settings) as con:
        return files_of_hour(con, call, hour)
