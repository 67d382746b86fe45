"""An erasure looks for the id wherever dbt may have quoted it, and names the file."""

from pathlib import Path

import pytest

from orchestration.erasure.remaining_ids import search
from orchestration.loading.people import USER, Id, People
from orchestration.models import run
from tests.support.house import House
from tests.support.receiver.attack import bad_input

ALICE = Id(USER, "alice-77f0")
KEY = b"a key"


@pytest.fixture
def people() -> People:
    return People(KEY, set(), {ALICE})


@pytest.fixture
def house(own_house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """One with a dbt project of its own, and nothing said of where dbt writes."""
    monkeypatch.setattr(run, "PROJECT_DIR", own_house.folder / "dbt_project")
    for name in ("DBT_LOG_PATH", "DBT_TARGET_PATH"):
        monkeypatch.delenv(name, raising=False)
    return own_house


@bad_input(
    "B156", "an erased id that dbt has quoted in a log or in what it built", "the file is named"
)
@pytest.mark.parametrize(
    "place",
    [
        "dagster/dbt/logs/dbt.log",
        "dagster/dbt/logs/dbt.log.5",
        "dbt_project/logs/dbt.log",
        "dbt_project/logs/dbt.log.1",
        "dbt_project/target/run/seamline/models/segment/track.sql",
        "warehouse/catalog.sqlite",
    ],
)
def test_a_file_that_still_has_the_id_is_named(house: House, people: People, place: str) -> None:
    file = house.folder / place
    file.parent.mkdir(parents=True)
    (file.parent / "another").write_text("of bob")
    file.write_text("invalid value 'alice-77f0' in column")

    assert search(house.settings, people) == [str(file)]


def test_so_is_one_where_the_environment_has_dbt_write(
    house: House, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, name in (("DBT_LOG_PATH", "elsewhere"), ("DBT_TARGET_PATH", "built")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "dbt.log").write_text("alice-77f0")
        monkeypatch.setenv(variable, str(folder))

    named = search(house.settings, people)

    assert named == [str(tmp_path / "built/dbt.log"), str(tmp_path / "elsewhere/dbt.log")]


def test_our_own_log_is_emptied_with_the_statements_of_past_runs(house: House) -> None:
    logs = house.settings.dagster_home / "dbt" / "logs"
    logs.mkdir(parents=True)
    for name in ("dbt.log", "dbt.log.1"):
        (logs / name).write_text('alter table add column "score of alice-77f0"')

    run.forget_statements(house.settings)

    assert {path.name: path.read_text() for path in logs.iterdir()} == {"dbt.log": ""}
