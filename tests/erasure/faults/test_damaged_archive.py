"""A damaged archive stops an erasure in one line, and moved aside it does not."""

from pathlib import Path

import pytest

from orchestration.loading.archive import archives
from orchestration.loading.load import load
from orchestration.upkeep.archives import pack_loaded_files
from tests.support import landed
from tests.support.person import found_in, quick_house, track

GONE = "gone-81d2"


@pytest.mark.long
def test_a_damaged_archive_stops_it_with_a_line_that_says_what_to_do(tmp_path: Path) -> None:
    house = quick_house(tmp_path / "house")
    landed.land(house.landing, "track", *(landed.line(track(who)) for who in (GONE, "stays")))
    load(house.settings)
    pack_loaded_files(house.settings)
    (packed,) = archives(house.landing, "track")
    packed.write_bytes(packed.read_bytes()[:-40])

    status, said = house.try_run("forget", f"--user-id={GONE}", "--no-suppress")

    assert status == 1
    (line,) = said.splitlines()
    assert line.startswith(f"{packed} is damaged: ")
    assert "by hand" in line

    packed.rename(tmp_path / packed.name)
    house.run("forget", f"--user-id={GONE}", "--no-suppress")

    assert found_in(tmp_path / "house", GONE) == []
    assert house.rows("select payload ->> '$.userId' from raw.track") == [("stays",)]
