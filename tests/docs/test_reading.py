"""What docs/reading.md shows runs as it is written, in DuckDB alone, and is true."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from landed.settings import ROOT
from orchestration.warehouse.connection import EXTENSION_DIRECTORY
from tests.support import landed
from tests.support.docs.pages import BY_NAME
from tests.support.house import House
from tests.support.unprivileged import drop_override

PAGE = BY_NAME["docs/reading.md"]
READ, NEWER, COPIED = (block.text for block in PAGE.blocks("sql"))
PROMPT, CLIENT, COPY = (block.text for block in PAGE.blocks("sh", "python"))
TRACKS = ("stg_segment__track", "track", "tracks", "event_relation")
COUNT = "select count(*) from lake.segment_warehouse.bought"
AT = "2026-11-22T05:24:46.500000Z"


def bought(message_id: str) -> bytes:
    event = {"type": "track", "messageId": message_id, "event": "Bought"}
    return landed.line(event, received_at=AT)


@pytest.fixture(scope="module")
def loaded(built_house: House) -> House:
    built_house.land("track", bought("a"), bought("b"))
    built_house.load()
    built_house.dbt("run", "--select", *TRACKS)
    return built_house


@pytest.fixture(autouse=True)
def folder(loaded: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a client starts, with the files the page names; DuckDB knows nothing of Seamline's."""
    extensions = tmp_path / "home" / ".duckdb" / "extensions"
    extensions.parent.mkdir(parents=True)
    extensions.symlink_to(EXTENSION_DIRECTORY)
    here = tmp_path / "here"
    (here / "share").mkdir(parents=True)
    (here / "warehouse").symlink_to(loaded.settings.catalog.parent)
    (here / ".venv").symlink_to(ROOT / ".venv")
    (here / "read.sql").write_text(READ)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(here)
    yield here
    writable(tmp_path)


def writable(folder: Path, *, is_it: bool = True) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod((0o755 if is_it else 0o555) if path.is_dir() else 0o644 if is_it else 0o444)


def duckdb_prompt(*arguments: str) -> subprocess.CompletedProcess[str]:
    """DuckDB's prompt, of somebody for whom the modes of files hold."""
    return subprocess.run(
        [".venv/bin/duckdb", *arguments],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=drop_override,
    )


def run(program: str) -> None:
    exec(compile(program, PAGE.name, "exec"), {})  # noqa: S102 - our own page


def test_the_prompt_reads_it() -> None:
    done = subprocess.run(
        ["bash", "-eu", "-c", PROMPT],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "bought" in done.stdout


def test_python_reads_it(capfd: pytest.CaptureFixture[str]) -> None:
    run(CLIENT)

    assert "bought" in capfd.readouterr().out


def test_times_are_the_same_in_every_time_zone_and_now_can_be_compared() -> None:
    at = "select distinct received_at from lake.segment_warehouse.bought"
    with duckdb.connect() as con:
        con.execute(READ)
        for zone in ("UTC", "America/New_York"):
            con.execute(f"set timezone = '{zone}'")
            assert con.execute(at).fetchall() == [(datetime.fromisoformat(AT[:-1]),)]
        con.execute("set timezone = 'UTC'")
        con.execute(NEWER)


def test_one_that_stays_open_sees_each_load_and_a_transaction_one_state(
    loaded: House, folder: Path
) -> None:
    own = loaded.copy(folder / "own")
    statement = READ.replace("warehouse/", f"{own.settings.catalog.parent}/")
    raw = "select count(*) from lake.raw.track"
    with duckdb.connect() as con:
        con.execute(statement)
        con.execute("begin")
        assert con.execute(raw).fetchall() == [(2,)]
        own.land("track", bought("c"))
        own.load()
        assert con.execute(raw).fetchall() == [(2,)]
        con.execute("commit")
        assert con.execute(raw).fetchall() == [(3,)]


def test_it_is_read_while_somebody_writes_and_cannot_be_written_to(
    loaded: House, folder: Path
) -> None:
    own = loaded.copy(folder / "own")
    with closing(sqlite3.connect(own.settings.catalog)) as writer, duckdb.connect() as con:
        writer.execute("begin immediate")
        con.execute(READ.replace("warehouse/", f"{own.settings.catalog.parent}/"))
        assert con.execute(COUNT).fetchall() == [(2,)]
        with pytest.raises(duckdb.Error, match="read-only"):
            con.execute("create table lake.segment.mine as select 1 as a")


@pytest.mark.long
def test_a_warehouse_at_another_path_is_read_with_the_files_there(
    loaded: House, folder: Path
) -> None:
    """Without the options they are looked for where it was made."""
    copied = loaded.copy(folder / "copied").settings.catalog.parent
    with duckdb.connect() as con:
        con.execute(READ.replace("warehouse/", f"{copied}/"))
        assert con.execute(COUNT).fetchall() == [(2,)]
    shutil.rmtree(copied / "data")
    with duckdb.connect() as con:
        con.execute(READ.replace("warehouse/", f"{copied}/"))
        with pytest.raises(duckdb.Error, match=str(copied)):
            con.execute(COUNT)
    with duckdb.connect() as con:
        con.execute(f"attach 'ducklake:sqlite:{copied}/catalog.sqlite' as lake (read_only)")
        with pytest.raises(duckdb.Error) as error:
            con.execute(COUNT)
    assert str(copied) not in str(error.value)


@pytest.mark.long
def test_a_read_only_folder_is_read_by_a_copy_of_the_catalog_and_only_so(
    loaded: House, folder: Path
) -> None:
    run(COPY)
    run(COPY)
    (folder / "warehouse").unlink()
    shutil.copytree(loaded.settings.catalog.parent, folder / "warehouse")
    writable(folder / "warehouse", is_it=False)
    writable(folder / "share", is_it=False)

    refused = duckdb_prompt("-init", "read.sql", "-c", COUNT)
    assert refused.returncode
    assert "attempt to write a readonly database" in refused.stderr

    done = duckdb_prompt("-csv", "-c", COPIED)
    assert (done.returncode, done.stdout.split()) == (0, ["count_star()", "2"]), done.stderr
    assert [path.name for path in (folder / "share").iterdir()] == ["catalog.sqlite"]
