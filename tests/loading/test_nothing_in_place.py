"""Where nothing is, a command says so and where it looked: it is somewhere else that it should."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestration.__main__ import cli
from orchestration.erasure import erase
from orchestration.in_place import refuse_nothing
from tests.support import landed
from tests.support.house import House


def touch(path: str) -> Callable[[Path], object]:
    def make(landing: Path) -> None:
        (landing / path).parent.mkdir(parents=True)
        (landing / path).touch()

    return make


@pytest.mark.parametrize(
    "command",
    [
        "forget --user-id=ann",
        "forget --email=ann@example.com",
        "forget --notified",
        "unsuppress --user-id=ann",
        "replay --table=track",
        "replay --day=2026-11-22",
        "replay --rejected",
        "rebuild",
        "rename",
        "upkeep",
        "verify",
        "trace m-1",
    ],
)
def test_it_ends_with_1_in_one_line_and_makes_nothing(own_house: House, command: str) -> None:
    done = CliRunner().invoke(cli, command.split())

    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert f"{own_house.settings.place} (SEAMLINE_WAREHOUSE)" in line
    assert f"{own_house.landing} (SEAMLINE_LANDING)" in line
    assert list(own_house.folder.iterdir()) == []


@pytest.mark.parametrize("command", ["status", "sql", "delivery", "columns", "export --parquet=x"])
def test_what_only_reads_says_that_there_is_no_warehouse(own_house: House, command: str) -> None:
    done = CliRunner().invoke(cli, command.split())

    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert own_house.settings.place in line
    assert "SEAMLINE_WAREHOUSE" in line


def test_a_landing_folder_without_a_file_of_events_is_nothing(own_house: House) -> None:
    (own_house.landing / "track").mkdir(parents=True)
    (own_house.landing / "README.md").touch()

    done = CliRunner().invoke(cli, ["forget", "--user-id=ann"])

    assert done.exit_code == 1
    assert done.output.startswith("Nothing is here")


@pytest.mark.parametrize(
    "there",
    [
        pytest.param("track/20261122T05-1.ndjson", id="a file that waits"),
        pytest.param("page/20261122T05-1.ndjson.open", id="one that is written"),
        pytest.param("loaded/track/20261122T05-1.ndjson", id="one that was loaded"),
        pytest.param("archive/track/20261122T05.tar.zst", id="an archive"),
        pytest.param("loads/000000000001.ndjson", id="a journal of loads"),
        pytest.param("imports/x/chunk", id="a staged import"),
        pytest.param("suppressed/list.ndjson", id="a list of who is suppressed"),
    ],
)
def test_any_file_in_a_folder_of_landing_is_something(own_house: House, there: str) -> None:
    touch(there)(own_house.landing)

    refuse_nothing(own_house.settings)


def test_a_warehouse_without_landed_files_is_something(own_house: House, raw_house: Path) -> None:
    refuse_nothing(own_house.move_in(raw_house).settings)


def test_an_object_store_may_have_what_is_not_here(tmp_path: Path) -> None:
    refuse_nothing(House(tmp_path, landing_remote="s3://events/seamline").settings)


def test_before_the_first_load_somebody_is_erased_from_what_waits(
    own_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
    theirs, others = (
        landed.line({"type": "track", "event": "E", "userId": who}, message_id=who)
        for who in ("ann-1", "bob-1")
    )
    path = own_house.land("track", theirs, others)

    done = CliRunner().invoke(cli, ["forget", "--user-id=ann-1"])

    assert done.exit_code == 0, done.output
    assert path.read_bytes() == b"\n" + others
    assert done.output.splitlines()[-1] == (
        f"Looked in {own_house.landing} and {own_house.settings.place}"
    )
