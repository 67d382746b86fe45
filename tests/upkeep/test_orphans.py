"""What a killed writer had begun to write is removed, and nothing else."""

import os
import time
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.settings import Settings
from orchestration.upkeep import orphans
from orchestration.upkeep.orphans import ListedFileError, remove_orphans
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.small_files import all_hashes, files

NAME = "ducklake-01a21062-ba8d-74a9-afdd-30dbae973ebb"


def _orphan(settings: Settings, name: str, days: float) -> Path:
    path = settings.data / "raw" / "track" / name
    path.write_bytes(b"half a file")
    then = time.time() - days * 86_400
    os.utime(path, (then, then))
    return path


@pytest.mark.any_one
@pytest.mark.parametrize(
    "name", [f"{NAME}.parquet", f"tmp_{NAME}.parquet", f"{NAME}-delete.parquet"]
)
def test_an_orphan_is_removed_after_a_day(small_lake: Settings, name: str) -> None:
    before, on_disk = all_hashes(small_lake), files(small_lake)
    _orphan(small_lake, name, days=1.1)

    assert remove_orphans(small_lake) == (1, len(b"half a file"))

    assert files(small_lake) == on_disk
    assert all_hashes(small_lake) == before


def test_a_young_one_stays(small_lake: Settings) -> None:
    orphan = _orphan(small_lake, f"{NAME}.parquet", days=0.9)

    remove_orphans(small_lake)

    assert orphan.exists()


def test_with_no_age_it_goes_at_once(small_lake: Settings) -> None:
    orphan = _orphan(small_lake, f"{NAME}.parquet", days=0)
    with writer_lock(small_lake), connect(small_lake) as con:
        orphans.remove(con, timedelta(0))

    assert not orphan.exists()


def test_somebody_elses_file_in_the_folder_stays(small_lake: Settings) -> None:
    theirs = _orphan(small_lake, "report-2026.parquet", days=100)

    remove_orphans(small_lake)

    assert theirs.exists()


def test_files_of_the_tables_are_no_orphans_however_old(small_lake: Settings) -> None:
    long_ago = time.time() - 1e7
    for path in files(small_lake):
        os.utime(path, (long_ago, long_ago))
    on_disk = files(small_lake)

    assert remove_orphans(small_lake) == (0, 0)
    assert files(small_lake) == on_disk


def test_a_listed_file_that_is_called_an_orphan_stops_everything(
    small_lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As DuckLake has done in 2026; here it is what we know of the catalog that is made wrong."""
    orphan = _orphan(small_lake, f"{NAME}.parquet", days=2)
    monkeypatch.setattr(orphans, "listed_names", lambda _: {orphan.name})

    with pytest.raises(ListedFileError, match="Nothing was removed"):
        remove_orphans(small_lake)

    assert orphan.exists()


def test_the_catalog_is_asked_for_every_kind_of_file(small_lake: Settings) -> None:
    with writer_lock(small_lake), connect(small_lake) as con:
        con.execute("delete from raw.track where line = 1")
        names = orphans.listed_names(con)

    assert names == {path.name for path in files(small_lake)}
    assert any("-delete" in name for name in names)


def test_an_orphan_that_somebody_removes_meanwhile_is_no_problem(
    small_lake: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand = _orphan(small_lake, f"{NAME}.parquet", days=2)
    left = _orphan(small_lake, f"tmp_{NAME}.parquet", days=2)
    listed_names = orphans.listed_names

    def listed_once_it_is_gone(con: duckdb.DuckDBPyConnection) -> set[str]:
        by_hand.unlink()
        return listed_names(con)

    monkeypatch.setattr(orphans, "listed_names", listed_once_it_is_gone)

    remove_orphans(small_lake)

    assert not left.exists()
