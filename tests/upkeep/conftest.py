"""Warehouses with a past of small files."""

import shutil
from pathlib import Path

import pytest

from orchestration.settings import Settings
from orchestration.upkeep import turns
from tests.support.small_lake import LOADS, load_events


@pytest.fixture(scope="module")
def _loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a warehouse of twelve small loads."""
    folder = tmp_path_factory.mktemp("loaded")
    settings = Settings(
        landing=folder / "landing", warehouse=f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite"
    )
    for number in range(LOADS):
        load_events(settings, 5 * number)
    return folder


@pytest.fixture
def small_lake(_loaded: Path, settings: Settings) -> Settings:
    """A copy of it, of the test's own."""
    for part in ("landing", "warehouse"):
        shutil.copytree(_loaded / part, settings.catalog.parents[1] / part)
    return settings


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take turns without a pause, which is for loads that wait."""
    monkeypatch.setattr(turns, "PAUSE_SECONDS", 0)
