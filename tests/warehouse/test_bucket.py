"""The Parquet files in a bucket, beside a catalog in PostgreSQL."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import obstore
import pytest
from obstore.store import from_url

from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.recovery.restore import restore_if_behind
from orchestration.upkeep import orphans
from orchestration.upkeep.keep_small import keep_small
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.data_places import place_at
from orchestration.warehouse.errors import WarehouseUnusableError
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.object_store import Bucket, ObjectStore
from tests.support.person import track

pytestmark = pytest.mark.scale

SECRET = "not-to-be-shown-51ce"
GONE = "gone-22d7"


@pytest.fixture
def house(
    object_store: ObjectStore, raw_house: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> House:
    """A house whose Parquet files come into a bucket of its own."""
    named = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": object_store.url,
    }
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    made = House(
        tmp_path, seal_seconds=0.3, warehouse_data=f"s3://{Bucket(object_store.url).name}/lake"
    )
    made.environment |= named
    return made.move_in(raw_house)


def objects(house: House) -> dict[str, bytes]:
    """What is in the bucket."""
    bucket = from_url(house.settings.data_address, client_options={"allow_http": True})
    names = [one["path"] for page in obstore.list(bucket) for one in page]
    return {name: bytes(obstore.get(bucket, name).bytes()) for name in names}


def land(house: House, *ids: str, **more: Any) -> None:
    landed.land(house.landing, "track", *(landed.line({"messageId": one} | more) for one in ids))


def ids_in(house: House, table: str = "raw.track") -> list[str]:
    return [one for (one,) in house.rows(f"select message_id from {table} order by all")]


def test_events_are_rows_of_files_in_the_bucket_and_nothing_of_them_is_on_this_machine(
    house: House,
) -> None:
    land(house, "a", "b")
    house.load()
    house.models("track")
    land(house, "b", "c")
    house.load()
    house.models("track")

    assert ids_in(house, "segment.track") == ["a", "b", "c"]
    assert house.problems() == []
    assert any(name.startswith("segment/track/") for name in objects(house))
    assert list(house.folder.rglob("*.parquet")) == []


def test_upkeep_writes_small_files_together_and_removes_what_nobody_needs(house: House) -> None:
    for number in range(6):
        land(house, f"m{number}")
        house.load()
    before = len(objects(house))
    stray = "raw/track/ducklake-00000000-0000-7000-8000-000000000000.parquet"
    bucket = from_url(house.settings.data_address, client_options={"allow_http": True})
    obstore.put(bucket, stray, b"half of a file")
    obstore.put(bucket, "raw/track/mine.parquet", b"a user's")

    keep_small(house.settings.model_copy(update={"query_hours": 1e-9}), timedelta(days=10_000))
    assert stray in objects(house)  # it is younger than a day
    with writer_lock(house.settings), connect(house.settings) as con:
        removed, size = orphans.remove(con, timedelta(0))

    left = objects(house)
    assert (removed, size) == (1, len(b"half of a file"))
    assert stray not in left
    assert "raw/track/mine.parquet" in left
    assert len(left) < before
    assert ids_in(house) == [f"m{number}" for number in range(6)]


def test_after_an_erasure_no_object_holds_the_id(house: House) -> None:
    landed.land(house.landing, "track", landed.line(track(GONE)), landed.line(track("bob")))
    house.load()
    house.models("track")
    assert place_at(house.settings.data_address).files()

    forget(house.settings, {Id(USER, GONE)})

    assert house.rows("select user_id from segment.track") == [("bob",)]
    for name, content in objects(house).items():
        assert GONE.encode() not in content, name
        (house.folder / "object.parquet").write_bytes(content)
        values = duckdb.sql(f"from '{house.folder}/object.parquet'").fetchall()
        assert GONE not in str(values), name


def test_a_warehouse_that_lost_its_catalog_is_made_again_and_leaves_the_old_files_a_day(
    house: House,
) -> None:
    land(house, "a", "b")
    house.load()
    before = objects(house)
    catalog_of(house.settings).remove()

    assert restore_if_behind(house.settings)

    assert ids_in(house) == ["a", "b"]
    assert orphans.remove_orphans(house.settings) == (0, 0)
    assert before.keys() <= objects(house).keys()


def test_a_bucket_that_is_not_there_and_a_store_that_is_away_lose_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(house, "a")
    nowhere = house.settings.model_copy(update={"warehouse_data": "s3://no-such-bucket/lake"})
    nowhere.__dict__.pop("data_address", None)
    with pytest.raises(duckdb.Error, match="no-such-bucket"):
        load(nowhere)
    with pytest.raises(WarehouseUnusableError, match="SEAMLINE_WAREHOUSE_DATA"):
        place_at(nowhere.data_address).files()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(duckdb.Error):
        load(house.settings)
    monkeypatch.undo()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, house.environment[name])

    load(house.settings)

    assert ids_in(house) == ["a"]


def test_a_command_says_which_bucket_and_no_key(house: House) -> None:
    land(house, "a")
    house.environment["SEAMLINE_WAREHOUSE_DATA"] = "s3://no-such-bucket/lake"

    status, printed = house.try_run("load")

    assert status == 1
    (line,) = printed.splitlines()
    assert "no-such-bucket" in line
    assert "SEAMLINE_WAREHOUSE_DATA" in line
    assert SECRET not in printed
    assert len(list((house.landing / "track").glob("*.ndjson"))) == 1
    for path in house.folder.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
