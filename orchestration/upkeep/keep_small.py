"""The upkeep of the warehouse, all of it once."""

from dataclasses import dataclass
from datetime import timedelta

from orchestration.settings import Settings
from orchestration.upkeep.orphans import remove_orphans
from orchestration.upkeep.parquet_files import Rewritten, rewrite_small_files
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.upkeep.snapshots import STEP, Expired, expire_snapshots
from orchestration.warehouse.catalogs import catalog_of

MINUTE = 5
"""Of each hour, when upkeep comes by itself."""


@dataclass
class Done:
    """What was done."""

    rewritten: Rewritten
    expired: Expired
    orphans: int
    catalog_bytes: int
    longest_lock_seconds: float
    """The longest that a load had to wait."""


def keep_small(settings: Settings, step: timedelta = STEP) -> Done:
    """Write small files together, expire snapshots, remove orphans, shrink the catalog.

    In this order: the snapshot in which small files are written together is the one that is kept.

    Raises:
        WriterBusyError: another writer did not finish in time; what was done before stays.
    """
    rewritten = rewrite_small_files(settings)
    expired = expire_snapshots(settings, step)
    orphans, _ = remove_orphans(settings)
    waited = [rewritten.longest_lock_seconds, expired.longest_lock_seconds]
    waited.append(shrink_catalog(settings))
    return Done(rewritten, expired, orphans, catalog_of(settings).size(), max(waited))


def shrink_catalog(settings: Settings) -> float:
    """Give the catalog's free pages back, if there are many.

    Returns:
        How many seconds a load had to wait for that.

    Raises:
        WriterBusyError: another writer did not finish in time.
    """
    locks = ShortLocks(settings)
    # without a connection of our own: closing one of two would free the locks of both
    with locks.hold():
        catalog_of(settings).shrink()
    return locks.longest_seconds
