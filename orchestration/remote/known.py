"""What is known of the objects of the store: what the file here was when both were the same.

A SQLite file in `landing/remote/`. Of an object in `waiting/` its line says that it was fetched,
and then what it was when it was shipped; of any other, that it need not be put again.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from landed.files import FILE_MODE
from landed.folders import REMOTE
from orchestration.durable_files import make_folder

_NAME = "known.sqlite"
_SECONDS = 30.0


class FileState(NamedTuple):
    """What changes when a file is written anew."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, found: os.stat_result) -> Self:
        """The state that a look at a file has found."""
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class Known(NamedTuple):
    """What is known of an object."""

    sha256: str
    """Of its bytes, when the file was fetched or put; empty if all that is known is that it may be
    there: it was being put, or was listed."""
    state: FileState
    """The file's, then."""
    is_settled: bool
    """Of an object that waited: whether it is gone there, as what came of it is kept."""


class Looked(NamedTuple):
    """The last looks at what waits in the store."""

    waiting: int
    """Objects that waited there, and were not here yet."""
    oldest: float | None
    """When the oldest of them was put."""
    went_well: float
    """When the store was asked last, and answered."""
    problem: str | None
    """What it has said since then."""
    kept: float
    """When the replica was brought up to date last, or begun."""
    left_out: set[str]
    """Counts that are too large to be some."""


class KnownObjects:
    """The lines of it. A process's own connection; others may write at the same time."""

    def __init__(self, landing: Path) -> None:
        """Open it, and make it if it is missing."""
        path = landing / REMOTE / _NAME
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))
        self._db = sqlite3.connect(
            path, timeout=_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._one_at_a_time = threading.Lock()
        self._db.execute("pragma synchronous = full")
        with self._changing() as db:
            db.execute(
                "create table if not exists object (key text primary key, sha256 text not null, "
                "inode integer, size integer, modified integer, settled_at real) without rowid"
            )
            db.execute(
                "create table if not exists looked (waiting integer, oldest real, went_well real, "
                "problem text)"
            )
            db.execute(
                "create table if not exists counted (key text primary key, changed real) "
                "without rowid"
            )
            db.execute("create table if not exists kept (went_well real)")
            db.execute("create table if not exists listed (at real)")
            db.execute("create table if not exists left_out (key text primary key) without rowid")
            db.execute(
                "insert into kept select ? where not exists (select 1 from kept)", [time.time()]
            )

    def close(self) -> None:
        """Let go of it."""
        self._db.close()

    def get(self, key: str) -> Known | None:
        """What is known of an object."""
        row = self._db.execute(f"{_ROW} where key = ?", [key]).fetchone()
        return _known(row)[1] if row else None

    def below(self, folder: str) -> dict[str, Known]:
        """What is known of the objects below a folder, in the order of their names."""
        rows = self._db.execute(
            f"{_ROW} where key >= ? and key < ? order by key", [f"{folder}/", f"{folder}0"]
        )
        return dict(map(_known, rows.fetchall()))

    def add(self, objects: Iterable[tuple[str, str, FileState]]) -> None:
        """Remember objects: key, SHA-256, state of the file."""
        with self._changing() as db:
            db.executemany(
                "insert or replace into object values (?, ?, ?, ?, ?, null)",
                ((key, sha256, *state) for key, sha256, state in objects),
            )

    def foresee(self, keys: Iterable[str]) -> None:
        """Remember of objects that they may be there, if that is not known: of what file is not."""
        with self._changing() as db:
            _foresee(db, keys)

    def is_listed(self) -> bool:
        """Whether the objects that were there before this file was made are known."""
        return self._db.execute("select 1 from listed").fetchone() is not None

    def note_listed(self, keys: Iterable[str]) -> None:
        """Remember the objects that a list has told."""
        with self._changing() as db:
            _foresee(db, keys)
            db.execute("delete from listed")
            db.execute("insert into listed values (?)", [time.time()])

    def settle(self, keys: Iterable[str]) -> None:
        """Remember of objects that waited that they do so no more."""
        with self._changing() as db:
            now = time.time()
            db.executemany(
                "update object set settled_at = ? where key = ?", ((now, key) for key in keys)
            )

    def remember(self, shipped: Mapping[str, str]) -> None:
        """Remember of objects that waited what they were, key → SHA-256, if that is not known."""
        with self._changing() as db:
            now = time.time()
            db.executemany(
                "insert or ignore into object values (?, ?, 0, 0, 0, ?)",
                ((key, sha256, now) for key, sha256 in shipped.items()),
            )

    def forget(self, keys: Iterable[str]) -> None:
        """Forget objects."""
        with self._changing() as db:
            db.executemany("delete from object where key = ?", ((key,) for key in keys))

    def forget_settled(self, before: float) -> None:
        """Forget objects that were settled before a time."""
        with self._changing() as db:
            db.execute("delete from object where settled_at < ?", [before])

    def note_look(self, waiting: int, oldest: float | None) -> None:
        """Remember that the store has answered, and what waits there."""
        with self._changing() as db:
            db.execute("delete from looked")
            db.execute("insert into looked values (?, ?, ?, null)", [waiting, oldest, time.time()])

    def note_problem(self, problem: str) -> None:
        """Remember that the store does not do what it was asked."""
        with self._changing() as db:
            if not db.execute("update looked set problem = ?", [problem]).rowcount:
                db.execute("insert into looked values (0, null, ?, ?)", [time.time(), problem])

    def counted(self) -> dict[str, float]:
        """Counts that were brought: object → when it was put."""
        return dict(self._db.execute("select key, changed from counted").fetchall())

    def note_counted(self, key: str, changed: float) -> None:
        """Remember that counts were brought, and when they were put."""
        with self._changing() as db:
            db.execute("insert or replace into counted values (?, ?)", [key, changed])

    def left_out(self) -> set[str]:
        """Counts that were left out: their objects."""
        return {key for (key,) in self._db.execute("select key from left_out").fetchall()}

    def note_left_out(self, keys: Collection[str]) -> None:
        """Remember which counts are left out now."""
        if self.left_out() != set(keys):
            with self._changing() as db:
                db.execute("delete from left_out")
                db.executemany("insert into left_out values (?)", ((key,) for key in keys))

    def note_kept(self) -> None:
        """Remember that the replica is as it is here."""
        with self._changing() as db:
            db.execute("update kept set went_well = ?", [time.time()])

    def looked(self) -> Looked | None:
        """What the last looks have found; None before the first."""
        row = self._db.execute(
            "select waiting, oldest, looked.went_well, problem, kept.went_well from looked, kept"
        ).fetchone()
        return Looked._make([*row, self.left_out()]) if row else None

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._one_at_a_time:  # of the threads of this process
            self._db.execute("begin immediate")
            try:
                yield self._db
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")


def _foresee(db: sqlite3.Connection, keys: Iterable[str]) -> None:
    db.executemany(
        "insert or ignore into object values (?, '', 0, 0, 0, null)", ((key,) for key in keys)
    )


_ROW = "select key, sha256, inode, size, modified, settled_at from object"


def _known(row: tuple[str, str, int, int, int, float | None]) -> tuple[str, Known]:
    key, sha256, inode, size, modified, settled_at = row
    return key, Known(sha256, FileState(inode, size, modified), settled_at is not None)


def looked_at(landing: Path) -> Looked | None:
    """What the last looks at the store have found, if there were any."""
    if not (landing / REMOTE / _NAME).exists():
        return None
    known = KnownObjects(landing)
    try:
        return known.looked()
    finally:
        known.close()
