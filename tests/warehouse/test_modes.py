"""What holds events is for its owner's eyes, whatever the umask of who starts us is."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from landed.settings import ROOT
from orchestration.erasure.erase import forget
from orchestration.loading.people import USER, Id
from orchestration.modes import narrow
from orchestration.settings import Readers, Settings
from orchestration.upkeep.archives import pack_loaded_files
from orchestration.upkeep.keep_small import keep_small
from tests.support import forked, landed
from tests.support.house import House
from tests.support.receiver.attack import bad_input


@pytest.fixture(autouse=True)
def _an_ordinary_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def open_to_others(folder: Path, bits: int = 0o077) -> dict[str, str]:
    """What lies in a folder and may be read, written or entered by others than its owner."""
    paths = [
        Path(above, name) for above, folders, files in os.walk(folder) for name in folders + files
    ]
    modes = {path: path.lstat().st_mode for path in paths if not path.is_symlink()}
    return {str(path.relative_to(folder)): oct(mode) for path, mode in modes.items() if mode & bits}


def widen(folder: Path) -> None:
    """Give everybody leave to read all of it, as earlier versions did."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def test_what_prepare_makes_is_its_owners(prepared_house: Path) -> None:
    assert sorted(path.name for path in prepared_house.iterdir()) == ["dagster", "warehouse"]
    assert open_to_others(prepared_house) == {}


@pytest.mark.long
@bad_input("B157", "an umask that lets everybody read", "files 0600, folders 0700")
def test_what_a_load_an_erasure_and_upkeep_alone_make_is_its_owners(own_house: House) -> None:
    for name in "ab":
        own_house.land("track", landed.line({"messageId": name, "type": "track", "userId": name}))
        own_house.load()
    forget(own_house.settings, {Id(USER, "a")}, suppress=False)
    pack_loaded_files(own_house.settings)
    keep_small(own_house.settings)

    made = {path.suffix for path in own_house.folder.rglob("*")}
    assert {".parquet", ".sqlite", ".lock", ".ndjson"} <= made
    assert open_to_others(own_house.folder) == {}
    assert os.umask(0o022) == 0o022  # of who uses it as a library


def test_what_dbt_leaves_run_by_us_or_by_hand_is_its_owners(built_house: House) -> None:
    forked.run_models(["daily_activity"], built_house.environment | {"DBT_LOG_LEVEL_FILE": "debug"})
    status, printed = built_house.try_dbt(
        *("run", "--select", "daily_activity"), DBT_LOG_LEVEL_FILE="debug", DBT_WRITE_JSON="true"
    )

    assert status == 0, printed
    left = [*(built_house.folder / "logs").iterdir(), *(built_house.folder / "target").iterdir()]
    assert {"dbt.log", "manifest.json"} <= {path.name for path in left}
    assert (built_house.settings.dagster_home / "dbt/logs/dbt.log").stat().st_size
    for folder in ("", "logs", "target"):
        assert open_to_others(built_house.folder / folder).keys() <= {"dbt-output"}  # the test's


@bad_input("B157", "a house that everybody can read", "it is its owner's from the next start on")
def test_what_an_earlier_version_left_open_is_closed_at_the_next_start(
    own_house: House, prepared_house: Path
) -> None:
    own_house.move_in(prepared_house)
    (own_house.landing / "track").mkdir(parents=True)
    widen(own_house.folder)
    configuration = (ROOT / "dagster.yaml").stat().st_mode

    own_house.run("prepare")

    assert open_to_others(own_house.folder) == {}
    assert (ROOT / "dagster.yaml").stat().st_mode == configuration  # a link leads there


def test_a_folder_in_which_other_things_lie_stays_as_it_is_but_not_the_files(
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "another's", "data/a.parquet"):
        (shared / name).parent.mkdir(exist_ok=True)
        (shared / name).touch()
    widen(tmp_path)

    narrow(House(tmp_path, warehouse=f"ducklake:sqlite:{shared}/catalog.sqlite").settings)

    assert set(open_to_others(tmp_path)) == {"shared", "shared/another's"}


def test_dbts_own_folders_in_the_project_are_closed_but_not_the_project(
    own_house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("logs/dbt.log", "logs/dbt.log.1", "target/run/a.sql", "models/a.sql"):
        (tmp_path / "dbt_project" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dbt_project" / name).touch()
    monkeypatch.setattr("orchestration.modes.ROOT", tmp_path)

    narrow(own_house.settings)

    assert set(open_to_others(tmp_path / "dbt_project")) == {"models", "models/a.sql"}


@pytest.mark.parametrize("place", ["home", "sticky", "above the repository"])
def test_a_place_that_is_not_for_us_alone_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    home = tmp_path / "home"
    (home / "mine").mkdir(parents=True)
    widen(tmp_path)
    monkeypatch.setenv("HOME", str(home if place == "home" else tmp_path))
    if place == "sticky":
        home.chmod(0o1777)
    if place == "above the repository":
        monkeypatch.setattr("orchestration.modes.ROOT", home / "mine")

    narrow(Settings(DAGSTER_HOME=home, landing=home))

    assert stat.S_IMODE(home.stat().st_mode) in (0o755, 0o1777)
    assert stat.S_IMODE((home / "mine").stat().st_mode) == 0o755


@pytest.mark.parametrize(("readers", "kept_out"), [("group", 0o027), ("everybody", 0o022)])
def test_who_may_read_the_warehouse_is_a_setting_and_holds_for_it_alone(
    tmp_path: Path, raw_house: Path, readers: Readers, kept_out: int
) -> None:
    house = House(tmp_path, warehouse_readers=readers).move_in(raw_house)
    house.land("track", landed.line({"messageId": "a", "type": "track"}))
    narrow(house.settings)
    house.load()

    warehouse = house.settings.catalog.parent
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in warehouse.rglob("*.*")}
    assert modes[".parquet"] == modes[".sqlite"] == 0o666 & ~kept_out
    assert stat.S_IMODE(warehouse.stat().st_mode) == 0o777 & ~kept_out
    assert open_to_others(house.landing) == {}


def test_what_is_another_users_or_goes_meanwhile_stops_nothing(
    own_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_house.settings.data
    folder.mkdir(parents=True)
    for name in ("gone", "theirs", "ours"):
        (folder / name).touch(0o644)
    chmod = Path.chmod

    def refused(path: Path, mode: int) -> None:
        if path.name == "theirs":
            raise PermissionError(1, "Operation not permitted", str(path))
        if path.name == "gone":
            path.unlink()
        chmod(path, mode)

    monkeypatch.setattr(Path, "chmod", refused)
    narrow(own_house.settings)

    assert set(open_to_others(folder)) == {"theirs"}
