"""Houses in which a person is everywhere."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.forget import erase
from orchestration.loading.load import load
from orchestration.upkeep.archives import REST, pack_loaded_files
from tests.support.forget_house import (
    House,
    copy_of,
    house_in,
    land_everywhere,
    land_later,
    run_models,
)
from tests.support.made_house import once


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house as it is between two loads: files wait, are loaded, are archived."""

    def make(folder: Path) -> None:
        house = house_in(folder)
        land_everywhere(house.landing)
        load(house.settings)
        run_models(house)
        half_past_five = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
        pack_loaded_files(house.settings, half_past_five + REST)
        land_later(house.landing)

    return once(tmp_path_factory, "house-with-alice", make)


@pytest.fixture
def house(template: Path, tmp_path: Path) -> House:
    """A copy of it of the test's own."""
    return copy_of(template, tmp_path / "house")


@pytest.fixture(autouse=True)
def _no_receiver_to_tell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait until every receiver knows who is suppressed, where none runs."""
    if "start_receiver" not in request.fixturenames:
        monkeypatch.setattr(erase, "SEEN_SECONDS", 0)
