"""The final tables as Parquet files in a bucket of an object store."""

import io
from pathlib import Path

import pyarrow.parquet
import pytest

from tests.support import landed
from tests.support.house import House
from tests.support.object_store import Bucket
from tests.support.processes import free_port

pytestmark = pytest.mark.scale


@pytest.fixture
def exporting(own_house: House, prepared_house: Path) -> House:
    """A house with a row in `track`."""
    own_house.move_in(prepared_house)
    own_house.land("track", landed.line({"event": "E"}, message_id="a"))
    own_house.load()
    own_house.models("track")
    return own_house


def test_a_bucket_has_the_same_files(exporting: House, bucket: Bucket) -> None:
    place = f"s3://{bucket.name}/some-folder"

    said = exporting.run("export", "--parquet", place, "--table", "track")
    again = exporting.run("export", "--parquet", place, "--table", "track")

    assert said == "parquet/track: 1 rows in 1 parts written\n"
    assert again == "parquet/track: nothing has changed\n"
    name = "some-folder/track/received_date=2026-11-22/rows.parquet"
    assert set(bucket.keys()) == {name, "some-folder/track/_seamline.json"}
    rows = pyarrow.parquet.read_table(io.BytesIO(bucket.get(name))).to_pylist()
    assert [row["message_id"] for row in rows] == ["a"]

    exporting.land(
        "track",
        landed.line({"event": "E"}, message_id="a", received_at="2026-11-21T00:00:00.000000Z"),
    )
    exporting.load()
    exporting.models("track")
    exporting.run("export", "--parquet", place, "--table", "track")

    earlier = "some-folder/track/received_date=2026-11-21/rows.parquet"
    assert set(bucket.keys()) == {earlier, "some-folder/track/_seamline.json"}
    assert not list((exporting.settings.dagster_home / "exporting").iterdir())


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_said_in_a_line(exporting: House) -> None:
    status, said = exporting.try_run("export", "--parquet", "s3://no-such-bucket/x")
    assert status == 1
    assert said.startswith("SEAMLINE_EXPORT_PARQUET: s3://no-such-bucket/x cannot be used: ")
    assert len(said.splitlines()) == 1


def test_a_store_that_does_not_answer_is_said_in_a_line(
    exporting: House, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{bucket.name}/x"
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        status, said = exporting.try_run("export", "--parquet", place)
    assert status == 1
    assert said.startswith("Not exported: ")
    assert f"SEAMLINE_EXPORT_PARQUET: {place} cannot be used: " in said
    assert len(said.splitlines()) == 1

    exporting.run("export", "--parquet", place)
    assert "x/track/_seamline.json" in set(bucket.keys())
