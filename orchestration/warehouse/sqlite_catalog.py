"""The catalog as a SQLite file, in a folder of this machine."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from orchestration.durable_files import make_folder, sync_folder
from orchestration.settings import SQLITE_CATALOG, Settings
from orchestration.warehouse.catalog_copy import CatalogBusyError, copy_of, may_open
from orchestration.warehouse.catalogs import Opened, moment
from orchestration.warehouse.errors import (
    CatalogFullError,
    WarehouseMissingError,
    WarehouseUnusableError,
)
from orchestration.warehouse.file_lock import LockFile, file_lock
from orchestration.warehouse.locks import Lock
from orchestration.warehouse.sqlite_space import vacuum

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SETTLED_NS = 1_000_000_000


class SqliteCatalog:
    """Answers what `catalogs.Catalog` asks."""

    extensions: tuple[str, ...] = ()
    attach_options: Mapping[str, str | int | bool] = {"meta_busy_timeout": 10_000}
    password: str | None = None
    settings: Mapping[str, str] = {}

    def __init__(self, settings: Settings) -> None:
        """Nothing is opened or made."""
        self._of = settings
        self._file = settings.catalog
        self.folders: tuple[Path, ...] = (self._file.parent,)

    def exists(self) -> bool:
        """Whether there is a file."""
        return self._file.exists()

    def create(self) -> None:
        """Make the file and its folder, with write-ahead logging switched on for good.

        Without it readers and the writer shut each other out (docs/decisions/0002-warehouse.md).
        """
        make_folder(self._file.parent, mode=0o777)
        if self._has_bytes():
            # opened and closed here, it would lose the locks that DuckDB holds on it in this
            # process
            return
        with closing(sqlite3.connect(self._file)) as catalog:
            catalog.execute("pragma journal_mode = wal")

    def to_open(self, *, read_only: bool) -> Opened:
        """The file, or a copy of it."""
        if not read_only:
            return _opened(self._file)
        try:
            if may_open(self._file):
                return _opened(self._file)
            copy, folder = copy_of(self._file)
        except FileNotFoundError:
            raise WarehouseMissingError(
                f"There is no warehouse at {self._file} yet (SEAMLINE_WAREHOUSE). "
                "`make run` or `make load` makes it."
            ) from None
        except PermissionError as error:
            raise WarehouseUnusableError(
                f"{error.filename} may not be read: {error.strerror}. Whoever queries the "
                f"warehouse has to be let read {self._file.parent} and all that is in it "
                "(docs/dbt.md)."
            ) from error
        except (CatalogBusyError, sqlite3.DatabaseError, OSError) as error:
            raise WarehouseUnusableError(
                f"{self._file} cannot be opened: {error}. Nothing was changed."
            ) from error
        return Opened(f"sqlite:{copy}", folder)

    def is_at(self, address: str) -> bool:
        """Whether it ends like the path of the file."""
        return address.endswith(self._file.name)

    def identity(self) -> int:
        """The file's number."""
        return self._file.stat().st_ino

    def version(self) -> object:
        """The state of the file and of its log, once another write would be of another time."""
        written = list(self._written())
        is_settled = all(time.time_ns() - at > _SETTLED_NS for _, _, at in written)
        return written if is_settled else None

    def _written(self) -> Iterator[tuple[int, int, int]]:
        """What changes when somebody writes: the file, and its log while there is one."""
        for path in (self._file, Path(f"{self._file}-wal")):
            with suppress(FileNotFoundError):
                state = path.stat()
                if state.st_size:  # readers leave an empty log
                    yield state.st_ino, state.st_size, state.st_mtime_ns

    def size(self) -> int:
        """That of the file."""
        return self._file.stat().st_size

    def shrink(self) -> None:
        """Rewrite the file without its free pages, if they are many."""
        vacuum(self._file)

    def empty(self) -> bool:
        """Rewrite it however few they are, and empty its write-ahead log."""
        return vacuum(self._file, free_share=-1)

    def remove_others(self) -> list[str]:
        """Remove the files beside it: they have values, and list files that go as orphans."""
        shutil.rmtree(self._beside().parent, ignore_errors=True)
        aside = sorted(self._file.parent.glob(f"{self._file.name}.before-*"))
        for path in aside:
            path.unlink(missing_ok=True)
        return [path.name for path in aside if not path.name.endswith(("-wal", "-shm"))]

    def search(self, holds: Callable[[bytes], bool]) -> list[str]:  # noqa: ARG002
        """Nothing: all of it is in its folder."""
        return []

    def beside(self) -> Mapping[str, object]:
        """A file in a folder beside; the Parquet files of both are in one folder."""
        return {
            "warehouse": f"{SQLITE_CATALOG}{self._beside()}",
            "warehouse_data": self._of.data_address,
        }

    def _beside(self) -> Path:
        return self._file.parent / "rebuilding" / self._file.name

    def remove(self) -> None:
        """Remove the file with its folder."""
        shutil.rmtree(self._file.parent, ignore_errors=True)

    def take_over(self, source: Settings) -> str | None:
        """Have the new one written over the old one in one transaction of SQLite's.

        So the file stays the one that readers know: whoever connects, at whatever moment, reads
        the old one or the new one, and a death leaves one of them. Another file under the same
        name could meet a log that a reader of the old one has left beside it, or has still open.
        """
        beside = source.catalog
        aside = self._file.with_name(f"{self._file.name}.before-{moment()}")
        try:
            if self._has_bytes():
                kept = beside.with_name("before")
                _write_into(kept, self._file)
                kept.rename(aside)
                _write_into(self._file, beside)
            else:
                _replace(self._file, beside, aside)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise CatalogFullError(str(error)) from error
            _replace(self._file, beside, aside)
        sync_folder(self._file.parent)
        shutil.rmtree(beside.parent)
        return aside.name if aside.exists() else None

    def lock(self, name: str) -> Lock:
        """A lock file beside it."""
        return LockFile(file_lock(self._of, name, is_singleton=True))

    def new_lock(self, name: str) -> Lock:
        """The same file, opened once more."""
        return LockFile(file_lock(self._of, name))

    def _has_bytes(self) -> bool:
        return self._file.exists() and bool(self._file.stat().st_size)


def _opened(file: Path) -> Opened:
    return Opened(f"sqlite:{file}")


def _write_into(catalog: Path, source: Path) -> None:
    """Make a catalog what another one is, with all that is in its log, in one transaction."""
    with closing(sqlite3.connect(source)) as new, closing(sqlite3.connect(catalog)) as old:
        old.execute("pragma synchronous = full")
        new.backup(old)
        # not waiting for readers: what they need stays in the log until they end
        old.execute("pragma busy_timeout = 0")
        old.execute("pragma wal_checkpoint(truncate)")


def _replace(catalog: Path, source: Path, aside: Path) -> None:
    """Put a catalog in the place of one that is damaged or gone, so that nobody can be reading it.

    What is left of that gets another name, its log first: it would be read as the new one's.
    """
    with closing(sqlite3.connect(source)) as new:
        new.execute("pragma wal_checkpoint(truncate)")
    for part in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            Path(f"{catalog}{part}").rename(f"{aside}{part}")
    source.rename(catalog)
