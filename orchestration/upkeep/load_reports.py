"""What is kept of loads and of counts beside the tables: as much as anybody looks at."""

from dataclasses import dataclass

from orchestration.audit import load_reports, not_stored_counts
from orchestration.settings import Settings
from orchestration.upkeep.short_locks import ShortLocks
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.transaction import transaction


@dataclass
class Forgotten:
    """What was done."""

    reports_removed: int = 0
    longest_lock_seconds: float = 0.0


def forget_old_reports(settings: Settings) -> Forgotten:
    """Remove reports of loads that are older than is set; bring what was not stored up to date.

    Raises:
        WriterBusyError: another writer did not finish in time; nothing was changed.
    """
    done = Forgotten()
    locks = ShortLocks(settings)
    with locks.hold(), connect(settings) as con:
        create_raw_tables(con)
        with transaction(con):
            done.reports_removed = load_reports.forget(con, settings.load_days)
            not_stored_counts.add(con, settings.landing)
            not_stored_counts.put_together(con)
    done.longest_lock_seconds = locks.longest_seconds
    return done
