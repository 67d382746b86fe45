"""Houses in which a person is everywhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.erasure import erase
from orchestration.upkeep import short_locks
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.support.house import House, once
from tests.support.person import land_everywhere, land_later, quick_house


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house as it is between two loads: files wait, are loaded, are archived."""

    def make(house: House) -> None:
        land_everywhere(house.landing)
        house.load()
        house.models()
        half_past_five = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
        pack_loaded_files(house.settings, half_past_five + REST)
        land_later(house.landing)

    return once(tmp_path_factory, "house-with-alice", make)


@pytest.fixture
def house(template: Path, tmp_path: Path) -> House:
    """A copy of it of the test's own."""
    return quick_house(tmp_path / "house").move_in(template)


@pytest.fixture
def empty(tmp_path: Path) -> House:
    """A house of the test's own with nobody in it, beside a receiver that the test may start."""
    return quick_house(tmp_path)


@pytest.fixture(autouse=True)
def _nobody_waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for receivers to know who is suppressed, where none runs, nor for loads."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
    if "start_receiver" not in request.fixturenames:
        monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
