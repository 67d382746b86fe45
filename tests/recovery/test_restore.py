"""A warehouse that is lost is made again from the files, row for row, without a hand."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.defs import raw_assets
from orchestration.defs.sensor import is_warehouse_lost
from orchestration.errors import DbtFailedError
from orchestration.loading.archive import hours_to_pack, pack_hour
from orchestration.loading.insert import known_checksums
from orchestration.loading.load import WarehouseBehindError, is_behind, load
from orchestration.models.run import run_models
from orchestration.recovery import restore as restore_module
from orchestration.recovery.reload import reload_rejected
from orchestration.recovery.restore import restore_if_behind
from orchestration.settings import Settings
from orchestration.upkeep.archives import pack_loaded_files
from orchestration.warehouse.connection import connect, create_warehouse
from orchestration.warehouse.raw_tables import COLUMNS
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Limits
from tests.support import landed
from tests.support.house import House
from tests.support.postgres import back_up, lose, put_back
from tests.support.warehouse import FIELDS, reading, unsynced

HOURS = ("20261122T05", "20261122T06", "20261122T07")
OF_ITS_TIME = {"raw.restored", "raw.completeness", "raw.load"}

Tables = dict[str, list[tuple[Any, ...]]]


def tables(settings: Settings) -> Tables:
    """Every row of every raw table."""
    with reading(settings) as con:
        return {
            table: con.execute(
                FIELDS if table == "raw.field" else f"select * from {table} order by all"
            ).fetchall()
            for table in COLUMNS
            if table not in OF_ITS_TIME
        }


def land(settings: Settings, call: str, hour: str, *lines: bytes) -> Path:
    name = f"{hour}2446123456Z-test-1-00000000-{len(lines):06d}.ndjson"
    return landed.land(settings.landing, call, *lines, name=f"{name[:-7]}{call}.ndjson")


def event(message_id: str, **more: object) -> bytes:
    return landed.line({"messageId": message_id, "type": "track", **more})


@pytest.fixture(scope="module")
def three_loads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house with three loads, a retried reject, and archives of the first hours."""
    folder = tmp_path_factory.mktemp("three-loads")
    settings = House(folder).settings
    land(settings, "track", HOURS[0], event("a", properties={"x": 1}), b"damaged\n", event("b"))
    too_big = b'{"type":"track","messageId":"big","properties":{"y":"z"}}'
    land(settings, "rejected", HOURS[0], landed.rejected_line(too_big, reason="too_big"))
    load(settings)
    land(settings, "track", HOURS[1], event("a", properties={"x": "text"}))
    land(settings, "identify", HOURS[1], landed.line({"messageId": "i"}))
    load(settings)
    assert reload_rejected(settings, Limits(2**20, 128)).moved == 1
    pack(settings)
    land(settings, "track", HOURS[2], event("c"))
    load(settings)
    return folder


@pytest.fixture
def filled(own_house: House, three_loads: Path) -> Settings:
    """A copy of that house."""
    return own_house.move_in(three_loads).settings


def pack(settings: Settings) -> None:
    """Pack all that is loaded."""
    with reading(settings) as con:
        for call, hour, paths in hours_to_pack(settings.landing, datetime(2027, 1, 1, tzinfo=UTC)):
            known = known_checksums(con, [path.name for path in paths])
            assert not pack_hour(settings.landing, call, hour, paths, known)


def test_a_warehouse_that_was_deleted_is_the_same_again(filled: Settings) -> None:
    before = tables(filled)
    lose(filled)

    restored = restore_if_behind(filled)

    assert restored is not None
    assert (restored.files, restored.moved, restored.missing) == (5, 1, [])
    assert tables(filled) == before


def test_files_that_expired_are_not_missing_though_an_archive_was_damaged(
    filled: Settings,
) -> None:
    damaged = filled.landing / "archive" / "identify" / f"{HOURS[1]}.tar.zst"
    damaged.write_bytes(damaged.read_bytes()[:10])
    short = filled.model_copy(update={"archive_days": 1.0})
    pack_loaded_files(short, datetime(2026, 11, 23, 7, tzinfo=UTC))
    lose(filled)

    restored = restore_if_behind(filled)

    assert restored is not None
    assert (restored.files, restored.expired, restored.missing) == (1, 4, [])


def test_an_older_copy_of_the_warehouse_gets_what_it_lacks(
    settings: Settings, tmp_path: Path
) -> None:
    land(settings, "track", HOURS[0], event("a"))
    load(settings)
    back_up(settings, tmp_path / "backup")
    land(settings, "track", HOURS[1], event("b"))
    load(settings)
    before = tables(settings)
    lose(settings)
    put_back(settings, tmp_path / "backup")

    restore_if_behind(settings)

    assert tables(settings) == before


@pytest.mark.long
def test_nothing_is_loaded_into_a_warehouse_that_lacks_loads(filled: Settings) -> None:
    before = tables(filled)
    lose(filled)
    new = land(filled, "page", HOURS[2], landed.line({"messageId": "p"}))

    with pytest.raises(WarehouseBehindError, match="lacks loads"):
        load(filled)
    assert new.exists()
    restore_if_behind(filled)
    load(filled)

    now = tables(filled)
    assert [row[0] for row in now.pop('raw."page"')] == ["p"]
    assert now['raw."track"'] == before['raw."track"']


def test_no_record_is_moved_in_a_warehouse_that_lacks_loads(filled: Settings) -> None:
    lose(filled)

    with pytest.raises(WarehouseBehindError, match="lacks loads"):
        reload_rejected(filled, Limits(2**20, 128))


def test_no_model_runs_on_a_warehouse_that_is_only_half_there(filled: Settings) -> None:
    lose(filled)
    create_warehouse(filled)

    with pytest.raises(DbtFailedError, match="lacks loads"):
        run_models(filled, ["stg_segment__track"])


@pytest.mark.long
def test_after_a_death_in_the_middle_it_goes_on(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(filled)
    lose(filled)
    small = filled.model_copy(update={"load_bytes": 1})
    insert = restore_module.insert_files
    done: list[object] = []

    def dies_at_the_fourth(*arguments: Any) -> Any:
        if len(done) == 3:
            raise OSError("died")
        done.append(arguments)
        return insert(*arguments)

    monkeypatch.setattr(restore_module, "insert_files", dies_at_the_fourth)
    with pytest.raises(OSError, match="died"):
        restore_if_behind(small)
    monkeypatch.undo()
    with reading(filled) as con:
        assert is_behind(con, filled.landing)

    restore_if_behind(small)

    with reading(filled) as con:
        assert not is_behind(con, filled.landing)
    assert tables(filled) == before


@pytest.mark.long
def test_a_mark_of_an_earlier_version_that_was_killed_meanwhile_is_heeded(
    filled: Settings,
) -> None:
    """Its last load was there already, and another was not."""
    before = tables(filled)
    mark = filled.landing / "loads" / "restoring"
    mark.touch()
    with writer_lock(filled), connect(filled) as con:
        for table in ("landed_file", "landed_count", "identify"):
            con.execute(f"delete from raw.{table} where load_id = 2")
        con.execute("delete from raw.track where load_id = 2")

    assert is_warehouse_lost(filled)
    with pytest.raises(WarehouseBehindError):
        load(filled)
    restore_if_behind(filled)

    assert not mark.exists()
    assert not is_warehouse_lost(filled)
    now = tables(filled)
    for table in ("raw.landed_file", 'raw."track"', 'raw."identify"'):
        assert now[table] == before[table]


def test_a_file_that_is_nowhere_is_named_and_all_others_are_loaded(
    filled: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    (last,) = (filled.landing / "loaded" / "track").glob("*.ndjson")
    last.unlink()
    lose(filled)

    restored = restore_if_behind(filled)

    assert restored is not None
    assert restored.missing == [f"track/{last.name}"]
    assert f"{last.name} is nowhere" in caplog.text
    assert restore_if_behind(filled) is None
    land(filled, "track", "20261122T08", event("d"))
    assert load(filled).load_ids == [5]


def test_an_archive_that_is_damaged_is_named_and_all_others_are_loaded(
    filled: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    archive = filled.landing / "archive" / "identify" / f"{HOURS[1]}.tar.zst"
    archive.write_bytes(archive.read_bytes()[:-20])
    lose(filled)

    restored = restore_if_behind(filled)

    assert restored is not None
    assert (restored.files, len(restored.missing)) == (4, 1)
    assert f"{archive} is damaged" in caplog.text


def test_the_sensor_sees_that_it_is_lost(filled: Settings) -> None:
    assert not is_warehouse_lost(filled)

    lose(filled)

    assert is_warehouse_lost(filled)


def test_the_sensor_sees_that_it_is_an_older_copy_though_no_file_waits(
    filled: Settings, tmp_path: Path
) -> None:
    back_up(filled, tmp_path / "backup")
    land(filled, "page", HOURS[2], landed.line({"messageId": "p"}))
    load(filled)
    lose(filled)
    put_back(filled, tmp_path / "backup")

    assert is_warehouse_lost(filled)


@pytest.mark.long
def test_a_copy_of_a_warehouse_that_is_half_made_again_knows_it(
    filled: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup that was taken meanwhile, put back when all was done."""
    before = tables(filled)
    lose(filled)
    small = filled.model_copy(update={"load_bytes": 1})
    insert = restore_module.insert_files

    def inserts_and_is_copied(*arguments: Any) -> Any:
        done = insert(*arguments)
        with reading(filled) as con:
            has_last = con.execute("from raw.landed_file where load_id = 4").fetchone()
        if has_last and not (tmp_path / "backup").exists():
            back_up(filled, tmp_path / "backup")
        return done

    monkeypatch.setattr(restore_module, "insert_files", inserts_and_is_copied)
    restore_if_behind(small)
    monkeypatch.undo()
    lose(filled)
    put_back(filled, tmp_path / "backup")
    assert tables(filled) != before

    assert restore_if_behind(filled) is not None
    assert tables(filled) == before


@pytest.mark.long
def test_a_start_leaves_the_work_to_the_first_run(filled: Settings) -> None:
    lose(filled)
    create_warehouse(filled)

    assert is_warehouse_lost(filled)
    assert restore_if_behind(filled) is not None
    assert not is_warehouse_lost(filled)


@pytest.mark.long
def test_a_run_makes_it_again_and_loads_what_waits(
    filled: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    modelled: list[Settings] = []
    monkeypatch.setattr(raw_assets, "run_all_models", modelled.append)
    before = tables(filled)
    lose(filled)
    new = land(filled, "page", HOURS[2], landed.line({"messageId": "p"}))

    assert dg.materialize([raw_assets.raw_tables]).success

    assert not new.exists()
    assert modelled == [filled]
    after = tables(filled)
    assert after['raw."track"'] == before['raw."track"']
    assert len(after['raw."page"']) == len(before['raw."page"']) + 1


@pytest.mark.long
def test_what_was_made_again_is_on_the_disk_before_it_is_listed(
    filled: Settings, synced: set[Path]
) -> None:
    """A power cut after it must find no file listed that is not there whole."""
    lose(filled)

    restore_if_behind(filled)

    assert unsynced(filled, synced) == set()
