"""The new catalog takes the old one's place."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

import pytest

from orchestration.columns.update import create_column_tables
from orchestration.errors import RebuildRefusedError
from orchestration.loading import waiting
from orchestration.recovery import rebuild as rebuild_module
from orchestration.recovery.reload import _without_write_key
from orchestration.settings import Settings
from orchestration.warehouse import sqlite_catalog
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import create_raw_tables
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.faults.steps import STEPS

MORE = 3
"""Tables that the new catalog has more than the old one, by which they are told apart."""

READER = """
import sqlite3, sys
con = sqlite3.connect(sys.argv[1])
con.execute("begin")
print(con.execute("select count(*) from ducklake_table").fetchone()[0], flush=True)
sys.stdin.read()
con.rollback()
(sound,) = con.execute("pragma integrity_check").fetchone()
print(sound, con.execute("select count(*) from ducklake_table").fetchone()[0])
con.close()
"""


class Reader:
    """A process that reads in a transaction until it is told to end, and then in another one."""

    def __init__(self, catalog: Path) -> None:
        """Begin to read."""
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", READER, str(catalog)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.tables = int(self._process.stdout.readline())

    def end(self) -> int:
        """End it; return how many tables it sees at its end."""
        said, _ = self._process.communicate()
        sound, tables = said.split()
        assert (self._process.returncode, sound) == (0, "ok")
        return int(tables)


@dataclass
class Swap:
    """A warehouse, and the one that has been made beside it."""

    settings: Settings
    beside: Settings
    old: int
    new: int

    def do(self) -> None:
        """Let the new one take the place of the old one."""
        rebuild_module._take_its_place(self.settings, self.beside)  # noqa: SLF001

    def at_each_step(self, look: Callable[[], None]) -> None:
        """Do it, and look before each call that changes or syncs something on the disk."""

        def called(_: object, what: str, call: object) -> None:
            if what == "c_call" and getattr(call, "__name__", "") in STEPS | {"link", "backup"}:
                sys.setprofile(None)
                look()
                sys.setprofile(called)

        sys.setprofile(called)
        try:
            self.do()
        finally:
            sys.setprofile(None)


@pytest.fixture
def swap(made_warehouse: Settings) -> Swap:
    beside = rebuild_module._beside(made_warehouse)  # noqa: SLF001
    with writer_lock(beside), connect(beside) as con:
        create_raw_tables(con)
        create_column_tables(con)
        for number in range(MORE):
            con.execute(f"create table raw.more_{number} (one int)")
    new = Reader(beside.catalog).end()
    return Swap(made_warehouse, beside, new - MORE, new)


def make_one_table(settings: Settings, name: str) -> None:
    with writer_lock(settings), connect(settings) as con:
        con.execute(f"create table raw.{name} (one int)")


def is_sound(catalog: Path) -> bool:
    with closing(sqlite3.connect(catalog)) as database:
        return database.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_whoever_reads_at_any_point_of_the_swap_reads_one_catalog_and_harms_neither(
    swap: Swap,
) -> None:
    readers = [Reader(swap.settings.catalog)]

    swap.at_each_step(lambda: readers.append(Reader(swap.settings.catalog)))

    # a reader at each moment, so that what is written stays in the log while the old ones end
    first = Reader(swap.settings.catalog)
    make_one_table(swap.settings, "while_they_read")
    second = Reader(swap.settings.catalog)
    assert first.end() == swap.new + 1
    seen = [reader.tables for reader in readers]
    assert seen == sorted(seen)
    assert set(seen) <= {swap.old, swap.new}
    assert {reader.end() for reader in reversed(readers)} == {swap.new + 1}
    assert Reader(swap.settings.catalog).end() == second.end() == swap.new + 1
    make_one_table(swap.settings, "afterwards")
    assert Reader(swap.settings.catalog).end() == swap.new + 2
    assert is_sound(swap.settings.catalog)
    (before,) = swap.settings.catalog.parent.glob("catalog.sqlite.before-*Z")
    assert Reader(before).end() == swap.old


@pytest.mark.long
def test_a_swap_that_is_killed_at_any_point_leaves_one_of_the_two_and_is_done_by_the_next(
    swap: Swap, tmp_path: Path
) -> None:
    steps: list[int] = []
    warehouse, kept = swap.settings.catalog.parent, tmp_path / "kept"
    shutil.copytree(warehouse, kept)
    swap.at_each_step(lambda: steps.append(1))

    for last in range(len(steps)):
        shutil.rmtree(warehouse)
        shutil.copytree(kept, warehouse)
        _swap_and_be_killed(swap, last)

        assert Reader(swap.settings.catalog).end() in (swap.old, swap.new)
        assert is_sound(swap.settings.catalog)
        shutil.copytree(kept / "rebuilding", swap.beside.catalog.parent, dirs_exist_ok=True)
        swap.do()
        assert Reader(swap.settings.catalog).end() == swap.new
    assert steps


def _swap_and_be_killed(swap: Swap, last: int) -> None:
    """In a process of its own, before the step of that number."""
    counted = iter(range(last))
    child = os.fork()
    if not child:
        try:
            swap.at_each_step(lambda: next(counted, None) is None and os.kill(os.getpid(), SIGKILL))
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == SIGKILL


@pytest.mark.any_one
@pytest.mark.parametrize("damage", [b"", b"no catalog" * 1000, None], ids=["empty", "no", "gone"])
def test_a_damaged_catalog_gives_way_with_its_log(swap: Swap, damage: bytes | None) -> None:
    catalog = swap.settings.catalog
    Path(f"{catalog}-wal").write_bytes(b"a log of the old one")
    if damage is None:
        catalog.unlink()
    else:
        catalog.write_bytes(damage)

    swap.do()

    assert Reader(catalog).end() == swap.new
    make_one_table(swap.settings, "afterwards")
    assert Reader(catalog).end() == swap.new + 1
    assert is_sound(catalog)


def test_a_disk_that_is_full_is_no_damage(swap: Swap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_catalog, "_write_into", _full)

    with pytest.raises(RebuildRefusedError, match=r"disk is full.*Nothing was changed"):
        swap.do()

    assert Reader(swap.settings.catalog).end() == swap.old


def _full(*_: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b'{ "a" : 1.0 , "writeKey":"k", "b": [1, {"writeKey": 2}] }',
         b'{ "a" : 1.0, "b": [1, {"writeKey": 2}] }'),
        (b'{"writeKey":"k"}', b"{}"),
        (b'{"a":"}\\",{", "write\\u004bey" : {"x":[1,2]}}', b'{"a":"}\\",{"}'),
        (b'{"a": 1e5 }', b'{"a": 1e5 }'),
    ],
)  # fmt: skip
def test_a_moved_record_loses_its_write_key_and_no_other_byte(sent: bytes, kept: bytes) -> None:
    assert _without_write_key(sent) == kept


def test_a_file_that_was_sealed_or_removed_since_it_was_listed_fails_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "track"
    folder.mkdir()
    listed = [folder / f"20261122T05-{name}.ndjson.open" for name in ("sealed", "gone")]
    (folder / "20261122T05-sealed.ndjson").write_bytes(b"line\n")

    assert waiting.count_lines([*listed, folder / "20261122T05-loaded.ndjson"]).total() == 1
