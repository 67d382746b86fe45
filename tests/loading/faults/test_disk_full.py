"""F07: the warehouse's disk is full. What was loaded stays, and the rest waits for room."""

import errno
import os
import random
import subprocess
import sys
from base64 import b85encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from landed.settings import ROOT
from orchestration import durable_files
from orchestration.loading.landed_file import sealed_files
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.warehouse import reading

EVENTS = 400
FILES = 30
BYTES = 3_000


def mount(*arguments: str | Path) -> None:
    subprocess.run(["/bin/mount", *arguments], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """The warehouse's folder as a file system of 24 MB of its own."""
    if os.geteuid() != 0:
        pytest.skip("ONLY ROOT MAY MOUNT: a warehouse on a really full disk was not tried")
    folder = tmp_path / "warehouse"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=24m", "none", folder)
    yield folder
    subprocess.run(["/bin/umount", "-l", folder], check=True)


def rows(settings: Settings, sql: str) -> list[tuple[Any, ...]]:
    with reading(settings) as con:
        return con.execute(sql).fetchall()


def test_without_room_for_it_a_load_says_so_and_its_files_wait(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(2):
        event = {"type": "track", "messageId": f"{n}"}
        landed.land(made_warehouse.landing, "track", landed.line(event))
    small = made_warehouse.model_copy(update={"load_bytes": 1})  # a transaction for each file

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        load(small, progress=lambda *_: patched.setattr(durable_files, "sync_file", full))
    waiting = list(sealed_files(made_warehouse.landing))
    assert len(waiting) == 1
    assert rows(made_warehouse, "select message_id from raw.track") == [("0",)]

    load(small)

    assert rows(made_warehouse, "select message_id from raw.track order by all") == [("0",), ("1",)]
    assert list(sealed_files(made_warehouse.landing)) == []


@pytest.mark.long
def test_a_full_warehouse_keeps_what_it_has_and_loads_the_rest_once_there_is_room(
    small_disk: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(settings)  # makes it, while there is room
    rng = random.Random(7)  # noqa: S311 - text that does not compress
    for file in range(FILES):
        events = [
            {
                "type": "track",
                "messageId": f"{file}-{n}",
                "text": b85encode(rng.randbytes(BYTES * 4 // 5)).decode(),
            }
            for n in range(EVENTS)
        ]
        landed.land(settings.landing, "track", *map(landed.line, events))
    monkeypatch.setenv("SEAMLINE_LOAD_BYTES", str(EVENTS * BYTES * 4))

    failed = subprocess.run(
        [sys.executable, "-m", "orchestration", "load"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert failed.returncode == 1
    assert "No space left" in failed.stderr
    assert "Traceback" not in failed.stderr
    waiting = list(sealed_files(settings.landing))
    ((loaded, ids),) = rows(settings, "select count(*), count(distinct message_id) from raw.track")
    ((files, in_ledger),) = rows(settings, "select count(*), sum(rows) from raw.landed_file")
    assert 0 < len(waiting) < FILES
    assert loaded == ids == in_ledger == files * EVENTS
    assert files in (FILES - len(waiting), FILES)

    mount("-o", "remount,size=512m", small_disk)
    load(Settings())

    assert list(sealed_files(settings.landing)) == []
    assert rows(settings, "select count(*), count(distinct message_id) from raw.track") == [
        (FILES * EVENTS, FILES * EVENTS)
    ]
    assert rows(settings, "select sum(count) from raw.field where path = 'text'") == [
        (FILES * EVENTS,)
    ]
