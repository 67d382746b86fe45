"""A house that an earlier version made goes on: nothing is lost, doubled or to be done by hand.

`make_house.py` says how it was made, and what is in it.
"""

import json
import re
import shutil
import tarfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.scheduler.instigation import InstigatorStatus

from landed.settings import ROOT
from orchestration.__main__ import cli
from orchestration.audit.status import status
from orchestration.definitions import defs
from orchestration.models import run
from orchestration.settings import Settings
from orchestration.warehouse.catalog import tables, views
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from receiver.settings import Settings as ReceiverSettings
from tests.support.house import House
from tests.support.receiver.app import AppReceiver
from tests.upgrade import make_house

pytestmark = pytest.mark.timeout(600)

PACKED = Path(__file__).with_name("house-0ae1ee5.tar.xz")

KEEPS_ITS_ROWS = re.compile(
    r"raw\.(alias|delete|group|identify|page|rejected|screen|track|landed_file|landed_count"
    r"|erasure|repair)|segment\.\w+|segment_staging\.\w+|mine\.\w+"
    # of the others a property or trait of several types has become one column
    r"|segment_warehouse\.(aliases|groups|identifies|pages|screens|tracks)"
)
MOVED = {
    "properties__price__double": "properties__price_c8b29a77",
    "properties__price__string": "properties__price_c8b29a77__string",
}
"""Columns of `price`, which shared those of `Price `: it has its own now."""
COUNTS_AGAIN = {"segment.completeness", "segment.field", "segment.child_table"}
"""A row of these says how many there are, or how a view of this version reads."""

NEW = [
    {"type": "track", "messageId": "n-01", "userId": "u-1", "event": "New", "properties": {"k": 1}},
    {"type": "track", "messageId": "n-02", "userId": "u-4", "event": "Of somebody suppressed"},
    make_house.FIRST[6],
]

MAKE = {
    "bench-import", "bench-receiver", "bench-tables", "bench-upkeep", "chaos", "check", "clean",
    "demo", "forget", "fuzz", "import", "install", "install-dev", "load", "lock", "rebuild",
    "receiver", "rename", "replay", "run", "sql", "test", "test-integration", "test-long",
    "unsuppress", "upkeep", "verify",
}  # fmt: skip
COMMANDS = {
    "forget", "load", "prepare", "rebuild", "rename", "replay", "sql", "unsuppress", "upkeep",
    "verify",
}  # fmt: skip
JOBS = {"load", "upkeep", "checks", "erase"}
BY_THEMSELVES = {"sealed_files", "every_hour", "checks_every_day", "erase_hourly"}

Rows = dict[str, list[dict[str, Any]]]


def unpack(folder: Path) -> House:
    """Put the earlier house into a folder, its Dagster where a test's house has it."""
    with tarfile.open(PACKED) as archive:
        archive.extractall(folder, filter="data")
    (folder / ".dagster").rename(folder / "dagster")
    return House(folder)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> House:
    """The house as it was left; nothing of this version has touched it."""
    return unpack(tmp_path_factory.mktemp("earlier"))


@pytest.fixture(scope="module")
def seen(earlier: House) -> Rows:
    """What the earlier version read in its tables and views, at the end."""
    found = json.loads((earlier.folder / "seen.json").read_text())
    return {name: [json.loads(row) for row in rows] for name, rows in found.items()}


@pytest.fixture(scope="module")
def upgraded(earlier: House, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The same after the first start of this version: it receives, prepares and loads."""
    house = House(tmp_path_factory.mktemp("upgraded")).move_in(earlier.folder)
    receiver = AppReceiver(house.folder)
    basic = "Basic " + b64encode(f"{make_house.KEY}:".encode()).decode()
    answer = receiver.http.post("/v1/batch", json={"batch": NEW}, headers={"Authorization": basic})
    assert answer.status_code == 200
    receiver.close()
    house.run("prepare")
    house.load()
    house.models("track")
    return house


def rows(house: House, *, of_views: bool = False) -> Rows:
    """What this version reads in each table, and in each view, which takes seconds."""
    found = {}
    with connect(house.settings, read_only=True) as con:
        for schema, name in tables(con) | (views(con) if of_views else set()):
            query = f'select to_json(t)::varchar from "{schema}"."{name}" as t'
            found[f"{schema}.{name}"] = [
                json.loads(row) for (row,) in con.execute(query).fetchall()
            ]
    return found


def final_rows(house: House) -> dict[str, list[str]]:
    """The rows of the final tables, by the names of their columns.

    A column that this version brings is the last one of an upgraded table.
    """
    return {
        name: sorted(json.dumps(row, sort_keys=True) for row in found)
        for name, found in rows(house).items()
        if name.startswith("segment.")
    }


def lost(before: Rows, after: Rows, moved: Mapping[str, str] = MOVED) -> Iterator[str]:
    """Rows that are not there any more, or not with the same values in the columns of today."""
    for name in before.keys() & after.keys():
        if KEEPS_ITS_ROWS.fullmatch(name) and name not in COUNTS_AGAIN:
            there = [row.items() for row in after[name]]
            for row in before[name]:
                now = {moved.get(column, column): value for column, value in row.items()}
                now.pop("properties__price__double", None)  # numbers have one column since
                if not any(now.items() <= other for other in there):
                    yield f"{name}: {row}"


def test_the_earlier_house_has_what_an_upgrade_could_lose(seen: Rows) -> None:
    final = {row["message_id"] for name in ("track", "identify") for row in seen[f"segment.{name}"]}

    assert {"m-07", "m-08", "m-11", "i-00", "m-13"} <= final
    assert not {"m-09", "m-14", "m-16", "m-18"} & final  # erased; in no table yet
    assert [row["message_id"] for row in seen["raw.delete"]] == ["m-19"]
    assert len(seen["raw.rejected"]) == 3
    assert seen["segment.track__properties__products"]
    assert seen["mine.prices"]
    assert seen["mine.orders"]


@pytest.mark.long
def test_this_version_reads_the_same_before_it_has_changed_anything(
    earlier: House, seen: Rows
) -> None:
    assert {"raw.track", "segment.track", "mine.prices"} <= set(rows(earlier))
    assert list(lost(seen, rows(earlier), moved={})) == []


@pytest.mark.long
def test_no_row_is_lost_or_changed_by_the_first_start(upgraded: House, seen: Rows) -> None:
    assert list(lost(seen, rows(upgraded))) == []


@pytest.mark.long
def test_what_waited_and_what_a_killed_receiver_left_is_in_the_tables(upgraded: House) -> None:
    final = {message_id for (message_id,) in upgraded.rows("select message_id from segment.track")}

    assert {"m-14", "m-16", "m-18", "n-01"} <= final
    assert upgraded.rows("select count(*) from raw.group where message_id = 'm-17'") == [(1,)]


@pytest.mark.long
def test_a_copy_of_an_earlier_event_is_no_second_row(upgraded: House) -> None:
    assert upgraded.rows("select count(*) from segment.track where message_id = 'm-07'") == [(1,)]


@pytest.mark.long
def test_who_was_erased_stays_so_and_is_not_stored_again(upgraded: House) -> None:
    received = "select count(*) from raw.track where payload::varchar like '%u-4%'"

    assert upgraded.rows(received) == [(0,)]


@pytest.mark.long
def test_somebody_is_erased_by_hand_before_the_first_start(earlier: House, tmp_path: Path) -> None:
    """Tables and columns of this version are missing then."""
    house = House(tmp_path).move_in(earlier.folder)

    house.run("forget", "--user-id", "u-2")

    received = "select count(*) from raw.track where "
    assert house.rows(f"{received} payload::varchar like '%u-2%'") == [(0,)]
    assert house.rows(f"{received} message_id = 'm-07'") == [(2,)]


@pytest.mark.long
def test_columns_yml_is_in_force_as_before(upgraded: House) -> None:
    ((columns,),) = upgraded.rows(
        "select list(column_name) from (describe segment.track) where column_name like 'prop%'"
    )

    assert "properties__postcode" in columns
    assert not [name for name in columns if "note" in name]


@pytest.mark.long
def test_verify_and_status_find_nothing_wrong(upgraded: House) -> None:
    assert upgraded.problems() == []
    assert status(upgraded.settings).problems == []


def test_the_settings_of_env_are_read_and_each_name_is_known(earlier: House) -> None:
    parts = (Settings, ReceiverSettings)
    names = {name for part in parts for name in part.names().values()}

    assert set(make_house.SETTINGS) <= names
    assert Settings(_env_file=earlier.folder / ".env").snapshot_days == 30
    assert ReceiverSettings(_env_file=earlier.folder / ".env").port == make_house.PORT


def test_dagster_goes_on_with_the_runs_and_switches_of_the_earlier_house(
    earlier: House, tmp_path: Path
) -> None:
    shutil.copytree(earlier.settings.dagster_home, tmp_path / "dagster")
    (tmp_path / "dagster" / "dagster.yaml").symlink_to(ROOT / "dagster.yaml")
    repository = defs.get_repository_def()
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        (load,) = instance.get_runs()
        (switched,) = instance.all_instigator_state()
        materialized = set(instance.get_asset_keys())

    assert load.job_name == "load"
    assert load.is_success
    # a schedule that was stopped is stopped: it is the same one to Dagster
    assert switched.status == InstigatorStatus.STOPPED
    own = InstigatorSelector(
        location_name="seamline", repository_name=repository.name, name="checks_every_day"
    )
    assert switched.selector_id == own.get_id()
    assert materialized <= set(repository.asset_graph.get_all_asset_keys())


def test_jobs_schedules_and_sensors_have_their_names() -> None:
    repository = defs.get_repository_def()
    here = {one.name for one in (*repository.schedule_defs, *repository.sensor_defs)}

    assert {job.name for job in repository.get_all_jobs()} >= JOBS
    assert here >= BY_THEMSELVES


def test_every_command_is_still_there() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert phony is not None
    assert set(phony[1].split()) >= MAKE
    assert set(cli.commands) >= COMMANDS


@pytest.mark.parametrize("gone", ["python -m stack demo", "orchestration.dbt_plugin"])
def test_what_went_is_named_in_the_changelog(gone: str) -> None:
    assert gone in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.long
def test_a_rebuild_makes_the_same_tables_as_an_upgrade(
    earlier: House, seen: Rows, tmp_path: Path
) -> None:
    house = House(tmp_path).move_in(earlier.folder)
    house.run("load")
    after = rows(house, of_views=True)
    assert set(seen) <= set(after)
    assert list(lost(seen, after)) == []
    assert {"m-15", "m-17"} <= {
        row["message_id"] for name in ("group", "screen") for row in after[f"segment.{name}"]
    }
    house.run("upkeep")
    house.run("forget", "--notified")
    with writer_lock(house.settings), connect(house.settings) as con:
        # a rebuild refuses to lose what is a user's; the model of that view is not in this project
        con.execute("drop schema mine cascade")
        con.execute("drop view segment.events_by_name")
    run.forget_statements(house.settings)
    before = final_rows(house)
    house.run("rebuild")

    assert final_rows(house) == before
    assert house.problems() == []
