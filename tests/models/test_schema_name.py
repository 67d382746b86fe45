"""The integration's name is the schema's, and stays it once there is data."""

import os
import subprocess
import sys

import pytest

from landed.settings import ROOT
from orchestration.models.schema_name import PARTS
from tests.support import landed
from tests.support.house import House

pytestmark = [pytest.mark.timeout(600), pytest.mark.long]


def run(house: House, command: str, name: str) -> subprocess.CompletedProcess[str]:
    """`python -m orchestration`, with an integration's name."""
    return subprocess.run(
        [sys.executable, "-m", "orchestration", command],
        env=os.environ | house.environment | {"SEAMLINE_INTEGRATION_NAME": name},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def schemas(house: House) -> set[str]:
    rows = house.rows(
        "select schema_name from duckdb_tables() union select schema_name from duckdb_views() "
        "where not internal"
    )
    return {name for (name,) in rows if name.partition("_")[0] in ("segment", "stitch")}


def test_it_names_the_schema_is_held_to_it_and_can_be_moved(house: House) -> None:
    house.land("track", landed.line({"type": "track", "messageId": "a", "event": "Bought"}))
    assert run(house, "load", "Stitch Segment").returncode == 0
    stitch = {f"stitch_segment{part}" for part in PARTS}
    assert schemas(house) == stitch

    for command in ("load", "prepare"):
        refused = run(house, command, "Segment")
        said = refused.stdout + refused.stderr
        assert refused.returncode == 1
        assert "'stitch_segment'" in said
        assert "make rename" in said
        assert schemas(house) == stitch

    moved = run(house, "rename", "Segment")
    assert moved.returncode == 0, moved.stderr
    assert "moved from stitch_segment" in moved.stdout
    assert schemas(house) == {f"segment{part}" for part in PARTS}
    assert house.rows("select message_id, event from segment.track") == [("a", "Bought")]
    assert house.rows("select id from segment_warehouse.bought") == [("a",)]
