"""An erasure reaches what an interrupted import has staged."""

import pytest

from orchestration.erasure.erase import forget
from orchestration.erasure.unloaded_files import ImportRunsError
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from receiver.importing.journal import Journal, Place, State
from receiver.importing.one_file import land
from receiver.importing.staging import drop_unnoted
from tests.support import landed
from tests.support.house import House
from tests.support.person import found_in, track

GONE = "gone-81d2"


@pytest.fixture
def interrupted(empty: House) -> tuple[House, Place]:
    """A house with an import that was ended when all was read and nothing landed."""
    house = empty
    place = Place(house.landing / "imports", "0" * 32)
    place.staging.mkdir(parents=True, mode=0o700)
    chunk = b"".join(landed.line(track(user)) for user in ("stays", GONE, "stays"))
    (place.staging / "track-000000.ndjson").write_bytes(chunk)
    journal = Journal(address="/export.gz", size=1, version="1", source="web", started=1)
    journal.state, journal.read_at, journal.chunks, journal.records = State.READ, 1, 1, 3
    place.write(journal)
    return house, place


def test_a_staged_line_goes_and_the_import_ends_with_the_others(
    interrupted: tuple[House, Place],
) -> None:
    house, place = interrupted
    (house.landing / "imports" / "left.ndjson.erased").write_text(GONE)

    done = forget(house.settings, {Id(USER, GONE)}, suppress=False)

    assert (done.lines, done.files) == (1, 1)
    assert found_in(house.landing, GONE) == []
    journal = place.journal()
    assert journal is not None
    with place.claimed():
        drop_unnoted(place, journal)
        land(place, journal, house.landing)
    load(house.settings)
    rows = house.rows("select payload ->> '$.userId', line from raw.track order by line")
    assert rows == [("stays", 1), ("stays", 3)]


def test_an_erasure_that_meets_a_running_import_stops_and_says_so(
    interrupted: tuple[House, Place],
) -> None:
    house, place = interrupted
    with place.claimed(), pytest.raises(ImportRunsError, match="An import is running"):
        forget(house.settings, {Id(USER, GONE)}, suppress=False)

    done = forget(house.settings, {Id(USER, "somebody-else")}, suppress=False)

    assert (done.people, done.lines) == (2, 1)
    assert found_in(house.landing, GONE) == []
