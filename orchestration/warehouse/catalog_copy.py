"""The catalog for those who may not write beside it: a copy of their own, of one moment.

SQLite cannot open a catalog with a write-ahead log without files of its own beside it; and those
that somebody else than the owner makes would shut the owner out.
"""

import filecmp
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

_TRIES = 50
_LOG_HEADER_BYTES = 32


class CatalogBusyError(Exception):
    """The catalog changed each time while it was read."""


def may_open(catalog: Path) -> bool:
    """Whether we may let SQLite open a catalog where it lies: its owner may, and root."""
    is_ours = os.geteuid() in (0, catalog.stat().st_uid)
    return is_ours and os.access(catalog.parent, os.W_OK) and os.access(catalog, os.W_OK)


def copy_of(catalog: Path) -> tuple[Path, TemporaryDirectory[str]]:
    """Copy a catalog with its log, as they were at one moment; only its reader sees the copy.

    A write-ahead log only grows until it is written into the catalog. So if catalog and head of
    the log are the same before and after, what lies between them belongs together.

    Returns:
        The copy, and the folder to remove with it.

    Raises:
        CatalogBusyError: it changed each time.
        OSError: it cannot be read.
        sqlite3.DatabaseError: it is no catalog, or damaged.
    """
    folder = TemporaryDirectory(prefix="seamline-")
    copied = Path(folder.name) / catalog.name
    log, copied_log = Path(f"{catalog}-wal"), Path(f"{copied}-wal")
    for _ in range(_TRIES):
        head = _head(log)
        shutil.copyfile(catalog, copied)
        copied_log.unlink(missing_ok=True)
        if head:
            try:
                shutil.copyfile(log, copied_log)
            except FileNotFoundError:
                continue
        if filecmp.cmp(catalog, copied, shallow=False) and _head(log) == head:
            break
    else:
        folder.cleanup()
        raise CatalogBusyError(f"{catalog} changed {_TRIES} times while it was read")
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    return copied, folder


def _head(log: Path) -> bytes:
    try:
        with log.open("rb") as file:
            return file.read(_LOG_HEADER_BYTES)
    except FileNotFoundError:
        return b""
