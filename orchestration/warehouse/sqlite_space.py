"""Giving the free pages of a SQLite file back to the disk."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

FREE_SHARE = 0.5
"""Free pages are used again; only a file that has more of them than this is worth a rewrite."""

BUSY_SECONDS = 10


def vacuum(file: Path, free_share: float = FREE_SHARE) -> bool:
    """Rewrite a SQLite file without its free pages, if it has many; readers may go on reading.

    Args:
        file: The database, with write-ahead logging.
        free_share: The share of free pages beyond which it is done; with -1 it is always done,
            and nothing that was deleted can be found in the file any more.

    Returns:
        Whether it was done. It is not to the end if another process writes, or reads what was.
    """
    with closing(_opened(file)) as database:
        ((pages,),) = database.execute("pragma page_count")
        ((free,),) = database.execute("pragma freelist_count")
        if free <= pages * free_share:
            return False
        try:
            database.execute("vacuum")
            ((is_busy, _, _),) = database.execute("pragma wal_checkpoint(truncate)").fetchall()
        except sqlite3.OperationalError as busy:
            if busy.sqlite_errorcode not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            is_busy = True
    if is_busy:
        log.info("%s is in use; its free pages stay until the next time.", file)
    return not is_busy


def _opened(file: Path) -> sqlite3.Connection:
    """Open a file that is there; SQLite would make one that is not."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
