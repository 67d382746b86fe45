"""A file is imported once, however often it is given."""

import fcntl
import os
import re
from pathlib import Path

from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support.importing import (
    events,
    loaded_ids,
    run_import,
    tree,
    write,
)
from tests.support.warehouse import reading

EVENTS = events("once", 60)
IDS = sorted(f"once-{n}" for n in range(60))
NAME = re.compile(r"\d{8}T\d{12}Z-import-[a-z]+-[0-9a-f]{8}-\d{6}\.ndjson")


def test_the_second_import_changes_nothing_on_the_disk(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", [*EVENTS, b"no event"])
    run_import(path)
    before = tree(settings.landing)

    result = run_import(path, "--source", "another")

    assert result.returncode == 0
    assert "was imported before as import: 10 alias" in result.stdout
    assert tree(settings.landing) == before


def test_the_second_import_changes_nothing_in_the_warehouse(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.gz", EVENTS)
    run_import(path)
    assert loaded_ids(settings) == IDS

    run_import(path)

    assert loaded_ids(settings) == IDS


def test_a_file_given_twice_at_once_is_imported_once(settings: Settings, tmp_path: Path) -> None:
    path = write(tmp_path / "in/a.json", EVENTS)

    run_import(path, tmp_path / "in", tmp_path / "in/../in/*.json")

    assert loaded_ids(settings) == IDS


def test_a_file_that_has_changed_is_another_whose_copies_are_one_row_each(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", EVENTS[:40])
    run_import(path)
    write(path, EVENTS)

    run_import(path)

    ids = loaded_ids(settings)
    assert len(ids) == 100
    assert sorted(set(ids)) == IDS


def test_imported_files_are_named_by_the_rule_and_nothing_else_is_left(
    settings: Settings, tmp_path: Path
) -> None:
    run_import(write(tmp_path / "a.json", [*EVENTS, b"no event"]))

    files = tree(settings.landing)
    (journal,) = [name for name in files if name.startswith("imports/")]
    landed = sorted(set(files) - {journal})
    assert re.fullmatch(r"imports/[0-9a-f]{32}\.json", journal)
    assert len(landed) == 7
    for name in landed:
        call, file = name.split("/")
        assert NAME.fullmatch(file)
        assert f"-import-{call}-" in file
    assert b"once" not in files[journal]
    assert {path.stat().st_mode & 0o077 for path in settings.landing.rglob("*")} == {0}


def test_the_events_of_a_file_are_a_microsecond_apart(settings: Settings, tmp_path: Path) -> None:
    run_import(write(tmp_path / "a.json", [*EVENTS[:20], b"no event", *EVENTS[20:]]))
    load(settings)

    with reading(settings) as con:
        times = con.sql(
            """
            select count(distinct received_at), date_diff('us', min(received_at), max(received_at))
            from (
                from raw.track select received_at union all from raw.page select received_at
                union all from raw.identify select received_at
                union all from raw.screen select received_at
                union all from raw."group" select received_at
                union all from raw.alias select received_at
                union all from raw.rejected select received_at
            )
            """
        ).fetchall()

    assert times == [(61, 60)]


def test_a_file_that_another_process_imports_is_left_to_it(
    settings: Settings, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.json", EVENTS)
    held = run_import(path, reserve_bytes="1000TiB")  # leaves its folder behind
    assert held.returncode == 1
    (folder,) = [path for path in (settings.landing / "imports").iterdir() if path.is_dir()]
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    result = run_import(path)
    os.close(descriptor)

    assert result.returncode == 1
    assert "is being imported by another process" in result.stderr
    assert run_import(path).returncode == 0
    assert loaded_ids(settings) == IDS
