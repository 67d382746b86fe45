"""An archive that goes here because of its age goes in the store too, and no other does."""

import json
from datetime import UTC, datetime

import pytest

from orchestration.loading.archive import archives
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.remote.machines import Loader, Machines, event
from tests.support import landed

ENDED = datetime(2026, 11, 22, 7, tzinfo=UTC) + REST
EXPIRED_IN_STORE = "archive/track/20261122T05.expired.ndjson"


@pytest.fixture
def loader(shared: Machines) -> Loader:
    """A loader with two archives, which the store has too."""
    loader = shared.loader()
    for hour in ("20261122T05", "20261122T06"):
        landed.land(loader.landing, "track", landed.line(event(1)), name=f"{hour}2446-a.ndjson")
    loader.whole_pass()
    pack_loaded_files(loader.settings, ENDED)
    loader.exchange()
    return loader


@pytest.mark.parametrize("damage", [lambda it: it, lambda it: it[:10]])
def test_it_is_noted_there_and_goes_though_it_is_damaged(
    shared: Machines, loader: Loader, damage: object
) -> None:
    first, second = shared.keys("archive")
    assert callable(damage)
    packed = archives(loader.landing, "track")[0]
    packed.write_bytes(damage(packed.read_bytes()))
    loader.exchange()
    short = loader.settings.model_copy(update={"archive_days": 1.0})

    pack_loaded_files(short, datetime(2026, 11, 23, 6, 30, tzinfo=UTC))
    loader.exchange()

    assert shared.keys("archive") == [EXPIRED_IN_STORE, second]
    (noted,) = shared.in_store(EXPIRED_IN_STORE)
    assert noted["archive"] == first.removeprefix("archive/")
    assert noted["files"] == ["20261122T052446-a.ndjson"]


def test_one_that_an_earlier_version_noted_goes_and_one_that_is_lost_stays(
    shared: Machines, loader: Loader
) -> None:
    first, second = shared.keys("archive")
    noted = {
        "archive": first.removeprefix("archive/"),
        "files": [],
        "expired_at": ENDED.isoformat(),
    }
    earlier = loader.landing / "archive" / "expired.ndjson"
    earlier.write_text(f"{json.dumps(noted)}\n")
    for packed in archives(loader.landing, "track"):
        packed.unlink()

    loader.exchange()

    assert shared.keys("archive") == ["archive/expired.ndjson", second]


def test_a_file_that_was_packed_and_expired_before_the_next_look_goes_there(
    shared: Machines,
) -> None:
    loader = shared.loader(archive_days=1.0)
    landed.land(loader.landing, "track", landed.line(event(1)), name="20261122T052446-a.ndjson")
    loader.whole_pass()
    assert shared.keys("loaded") == ["loaded/track/20261122T052446-a.ndjson"]

    pack_loaded_files(loader.settings, datetime(2026, 11, 24, tzinfo=UTC))
    loader.exchange()

    assert shared.keys("loaded") == []
    assert shared.keys("archive") == [EXPIRED_IN_STORE]
