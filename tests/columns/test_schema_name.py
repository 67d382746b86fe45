"""The integration's name is the schema's, and stays it once there is data."""

import os
import subprocess
import sys

import pytest

from landed.settings import ROOT
from tests.support import landed
from tests.support.lake import Lake

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


def run(lake: Lake, command: str, name: str) -> subprocess.CompletedProcess[str]:
    """`python -m orchestration`, with an integration's name."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", command],
        env=os.environ
        | {
            "SEAMLINE_INTEGRATION_NAME": name,
            "SEAMLINE_LANDING": str(lake.settings.landing),
            "SEAMLINE_WAREHOUSE": lake.settings.warehouse,
            "SEAMLINE_COLUMNS": str(lake.scratch / "columns.yml"),
            "DAGSTER_HOME": str(lake.scratch / "dagster"),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def schemas(lake: Lake) -> set[str]:
    rows = lake.rows(
        "select schema_name from duckdb_tables() union select schema_name from duckdb_views() "
        "where not internal"
    )
    return {name for (name,) in rows if name.partition("_")[0] in ("segment", "stitch")}


def test_it_names_the_schema_is_held_to_it_and_can_be_moved(lake: Lake) -> None:
    lake.land("track", landed.line({"type": "track", "messageId": "a", "event": "Bought"}))
    assert run(lake, "load", "Stitch Segment").returncode == 0
    stitch = {"stitch_segment", "stitch_segment_staging", "stitch_segment_warehouse"}
    assert schemas(lake) == stitch

    for command in ("load", "prepare"):
        refused = run(lake, command, "Segment")
        said = refused.stdout + refused.stderr
        assert refused.returncode == 1
        assert "'stitch_segment'" in said
        assert "make rename" in said
        assert schemas(lake) == stitch

    moved = run(lake, "rename", "Segment")
    assert moved.returncode == 0, moved.stderr
    assert "moved from stitch_segment" in moved.stdout
    assert schemas(lake) == {"segment", "segment_staging", "segment_warehouse"}
    assert lake.rows("select message_id, event from segment.track") == [("a", "Bought")]
    assert lake.rows("select id from segment_warehouse.bought") == [("a",)]
