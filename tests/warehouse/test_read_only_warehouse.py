"""S15: who may only read the files reads the warehouse, at rest and while it is written."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestration.loading.load import load
from orchestration.settings import Settings
from orchestration.warehouse import catalog_copy
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseUnusableError
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.unprivileged import run_python

SNIPPET = """
import seamline

with seamline.connect() as con:
    print(con.sql("select count(*) from raw.track").fetchall())
"""


@pytest.fixture
def read_only(made_warehouse: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A warehouse with an event, at rest, in a folder that nobody may write to."""
    landed.land(made_warehouse.landing, "track", landed.line({"messageId": "a", "type": "track"}))
    load(made_warehouse)
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("create schema segment")  # as the models have
    folder = made_warehouse.catalog.parent
    (tmp_path / "tmp").mkdir()
    _mode(folder, 0o555, 0o444)
    yield made_warehouse
    _mode(folder, 0o755, 0o644)


def _mode(folder: Path, of_folders: int, of_files: int) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(of_folders if path.is_dir() else of_files)


def environment(tmp_path: Path) -> dict[str, str]:
    return {"TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "tmp")}


def test_the_snippet_of_the_readme_reads_it_and_leaves_nothing(
    read_only: Settings, tmp_path: Path
) -> None:
    before = sorted(read_only.catalog.parent.iterdir())

    done = run_python("-c", SNIPPET, environment=environment(tmp_path))

    assert (done.returncode, done.stdout) == (0, "[(1,)]\n"), done.stderr
    assert sorted(read_only.catalog.parent.iterdir()) == before
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.long
@pytest.mark.usefixtures("read_only")
def test_make_sql_reads_it_and_says_that_it_is_of_one_moment(tmp_path: Path) -> None:
    done = run_python(
        *("-m", "orchestration", "sql"),
        environment=environment(tmp_path),
        stdin="select count(*) as events from raw.track;",
    )

    assert done.returncode == 0, done.stderr
    assert "1" in done.stdout
    assert "as it is now" in done.stderr
    assert [path for path in (tmp_path / "tmp").iterdir() if path.name.startswith("sea")] == []


@pytest.mark.long
def test_who_may_not_read_it_is_told_so_in_one_line(read_only: Settings, tmp_path: Path) -> None:
    read_only.catalog.chmod(0)

    done = run_python("-m", "orchestration", "sql", environment=environment(tmp_path))

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "has to be let read" in done.stderr


def test_another_user_never_opens_the_catalog_where_it_lies(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even who may write there: SQLite's files beside it would be his, and shut the owner out."""
    assert catalog_copy.may_open(made_warehouse.catalog)
    owner = made_warehouse.catalog.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 4711)

    assert not catalog_copy.may_open(made_warehouse.catalog)
    with connect(made_warehouse, read_only=True) as con:
        assert con.execute("select count(*) from raw.track").fetchall() == [(0,)]


def test_a_copy_has_what_is_in_the_log_only(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table t as select 1 as a")
        writer.commit()
        copy, folder = catalog_copy.copy_of(catalog)
        with closing(sqlite3.connect(copy)) as reader:
            assert reader.execute("select a from t").fetchall() == [(1,)]
    folder.cleanup()
    assert not copy.exists()


def test_a_copy_that_changed_while_it_was_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint in between: half of the catalog old, half of it new."""
    catalog = tmp_path / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as writer:
        writer.execute("pragma journal_mode = wal")
        writer.execute("create table t (a)")
        writer.commit()
        writer.execute("pragma wal_checkpoint(truncate)")
        copyfile, copies = catalog_copy.shutil.copyfile, []

        def copy_then_checkpoint(source: Path, target: Path) -> None:
            copyfile(source, target)
            copies.append(source)
            if len(copies) == 1:
                writer.execute("insert into t values (1)")
                writer.commit()
                writer.execute("pragma wal_checkpoint(truncate)")

        monkeypatch.setattr(catalog_copy.shutil, "copyfile", copy_then_checkpoint)
        copy, folder = catalog_copy.copy_of(catalog)
        with closing(sqlite3.connect(copy)) as reader:
            assert reader.execute("select a from t").fetchall() == [(1,)]
    assert copies.count(catalog) > 1
    folder.cleanup()


def test_a_catalog_that_never_rests_is_said_to_be_busy(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_copy, "may_open", lambda _: False)
    monkeypatch.setattr("orchestration.warehouse.sqlite_catalog.may_open", lambda _: False)
    monkeypatch.setattr("filecmp.cmp", lambda *_, **__: False)

    with pytest.raises(WarehouseUnusableError, match="changed 50 times"):
        connect(made_warehouse, read_only=True)
