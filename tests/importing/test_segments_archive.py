"""Segment's archive in a bucket: `segment-logs/<source>/<day>/<file>.gz`."""

import json
from pathlib import Path

import pytest

from orchestration.settings import Settings
from tests.support.importing import event, loaded_ids, parsed, payloads, run_import, write
from tests.support.warehouse import reading

DAY = 1_714_521_600_000
DAY_MILLISECONDS = 86_400_000
SOURCES = ("tPnGwX9aB2", "9xQ41mZ77s")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two sources, three days, two files a day, and the object Segment tries the bucket with."""
    for source in SOURCES:
        for day in range(3):
            folder = tmp_path / "archive/segment-logs" / source / str(DAY + day * DAY_MILLISECONDS)
            for number in range(2):
                ids = [f"{source}-{day}-{number}-{n}" for n in range(5)]
                name = f"17145{day}{number}.6df1e2a0c1b3.1.2.0.json.gz"
                write(folder / name, [event(one, "page") for one in ids])
    write(tmp_path / "archive/segment-logs/dummy-object.txt", [b"test"])
    return tmp_path / "archive"


def test_each_event_of_the_archive_lands_under_its_source(
    archive: Path, settings: Settings
) -> None:
    result = run_import(archive)

    assert result.returncode == 0, result.stderr
    lines = parsed(settings.landing)
    assert len(lines) == 60
    for line in lines:
        assert line["source"] == "import-" + line["message_id"].partition("-")[0]


def test_a_source_that_is_named_is_the_source(archive: Path, settings: Settings) -> None:
    run_import(archive, "--source", "old_site")

    assert {line["source"] for line in parsed(settings.landing)} == {"old_site"}


def test_one_source_of_the_archive_can_be_imported_alone(archive: Path, settings: Settings) -> None:
    run_import(archive / "segment-logs" / SOURCES[0])

    assert {line["source"] for line in parsed(settings.landing)} == {f"import-{SOURCES[0]}"}
    assert len(payloads(settings.landing)) == 30


def test_what_segment_says_of_an_event_stays_in_it(archive: Path, settings: Settings) -> None:
    run_import(archive)
    loaded_ids(settings)

    with reading(settings) as con:
        rows = con.sql("select payload, sent_at, received_at from raw.page").fetchall()
    assert len(rows) == 60
    for payload, sent_at, received_at in rows:
        assert json.loads(payload)["receivedAt"] == "2024-05-01T10:00:01.000Z"
        assert '"n": 1e+21' in payload
        assert sent_at == "2024-05-01T10:00:00.000Z"
        assert received_at.year >= 2026  # when it was received here


@pytest.mark.parametrize("name", ["a b", "", "-x", "x" * 64, "ü"])
def test_a_name_that_no_source_could_have_is_refused(
    archive: Path, settings: Settings, name: str
) -> None:
    result = run_import(archive, "--source", name)

    assert result.returncode == 1
    assert "cannot be a source's name" in result.stderr
    assert not settings.landing.exists()
