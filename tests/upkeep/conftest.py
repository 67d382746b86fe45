"""Warehouses with a past of small files."""

import pytest

from orchestration.settings import Settings
from orchestration.upkeep import short_locks
from tests.support.house import House, once
from tests.support.small_files import LOADS, load_events


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house of some small loads."""

    def make(house: House) -> None:
        for number in range(LOADS):
            load_events(house.settings, 5 * number)

    return House(once(tmp_path_factory, "small-loads", make))


@pytest.fixture
def small_lake(loaded: House, own_house: House) -> Settings:
    """A copy of it, of the test's own."""
    return loaded.copy(own_house.folder).settings


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold lock after lock without a pause, which is for loads that wait."""
    monkeypatch.setattr(short_locks, "PAUSE_SECONDS", 0)
