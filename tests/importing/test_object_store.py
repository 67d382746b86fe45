"""Files that are imported from an object store's address."""

import gzip

import pytest

from orchestration.settings import Settings
from receiver.importing import one_file, origins
from tests.support.importing import events, parsed, payloads, run_import, run_process
from tests.support.object_store import Bucket
from tests.support.processes import free_port

pytestmark = pytest.mark.integration

EVENTS = events("stored", 300, size=500)
LINES = b"".join(one + b"\n" for one in EVENTS)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in ranges, and stage in chunks, that are small beside the objects."""
    monkeypatch.setattr(origins, "_RANGE_BYTES", 10_000)
    monkeypatch.setattr(one_file, "CHUNK_BYTES", 20_000)


@pytest.mark.usefixtures("small")
def test_segments_archive_is_imported_from_its_bucket(bucket: Bucket, settings: Settings) -> None:
    folder = "some prefix/segment-logs/tPnGwX9aB2/1714521600000"
    half = LINES.index(b"\n", len(LINES) // 2) + 1
    bucket.put(f"{folder}/1.json.gz", gzip.compress(LINES[:half]), ContentEncoding="gzip")
    bucket.put(f"{folder}/2.json.gz", gzip.compress(LINES[half:]), ContentEncoding="gzip")
    bucket.put("some prefix/segment-logs/dummy-object.txt", b"test")

    result = run_import(f"s3://{bucket.name}/some prefix")
    again = run_import(f"s3://{bucket.name}/some prefix")

    assert (result.returncode, again.returncode) == (0, 0), result.stderr
    assert payloads(settings.landing) == set(EVENTS)
    assert len(parsed(settings.landing)) == len(EVENTS)
    assert {line["source"] for line in parsed(settings.landing)} == {"import-tPnGwX9aB2"}
    assert again.stdout.count("was imported before") == 2


def test_an_object_is_imported_by_its_own_address_whatever_its_name(
    bucket: Bucket, settings: Settings
) -> None:
    bucket.put("today/events", LINES)
    bucket.put("today/events.json", b"not this one")

    run_import(f"s3://{bucket.name}/today/events")

    assert payloads(settings.landing) == set(EVENTS)
    assert len(parsed(settings.landing)) == len(EVENTS)


def test_the_command_takes_address_and_keys_from_the_environment(
    bucket: Bucket, settings: Settings
) -> None:
    bucket.put("events.json", LINES)

    result = run_process(f"s3://{bucket.name}")

    assert result.returncode == 0, result.stderr
    assert payloads(settings.landing) == set(EVENTS)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("packed", [True, False])
def test_a_store_that_goes_away_is_said_and_the_import_goes_on_later(
    bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    bucket.put("events", gzip.compress(LINES, 0) if packed else LINES)
    real = origins.StoredObject.read_range
    asked: list[int] = []

    def goes_away(self: origins.StoredObject, start: int, end: int) -> bytes:
        asked.append(start)
        if len(asked) == 8:
            raise origins.UnreadableError("cannot be read: the store has gone")
        return real(self, start, end)

    monkeypatch.setattr(origins.StoredObject, "read_range", goes_away)
    stopped = run_import(f"s3://{bucket.name}/events")
    before = payloads(settings.landing)
    resumed = run_import(f"s3://{bucket.name}/events")

    assert (stopped.returncode, resumed.returncode) == (1, 0)
    assert "The same command again goes on where this one stopped." in stopped.stderr
    assert before == set()
    assert payloads(settings.landing) == set(EVENTS)
    assert len(parsed(settings.landing)) == len(EVENTS)
    if not packed:  # of plain text, what was staged is not even asked for again
        assert min(asked[9:]) > 0


@pytest.mark.usefixtures("small")
def test_an_object_that_changes_meanwhile_is_not_imported(
    bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("events", LINES)
    real = one_file.stage

    def stage_while_it_changes(*arguments: object) -> None:
        bucket.put("events", LINES[: len(LINES) // 2])
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(one_file, "stage", stage_while_it_changes)
    result = run_import(f"s3://{bucket.name}/events")

    assert result.returncode == 1
    assert "was changed while it was read" in result.stderr
    assert payloads(settings.landing) == set()


def test_a_bucket_that_is_not_there_is_said_in_a_line(bucket: Bucket, settings: Settings) -> None:
    bucket.put("events", LINES)

    result = run_import("s3://no-such-bucket/folder", f"s3://{bucket.name}/events")

    assert result.returncode == 1
    assert result.stderr.startswith("s3://no-such-bucket/folder cannot be listed: ")
    assert "404" in result.stderr
    assert result.stderr.count("\n") == 1
    assert payloads(settings.landing) == set(EVENTS)


def test_a_store_that_is_not_there_is_said_in_a_line(
    bucket: Bucket, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("receiver.importing.places._RETRIES", 1)

    result = run_import(f"s3://{bucket.name}/events")

    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert payloads(settings.landing) == set()
