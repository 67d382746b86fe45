"""A house that is made once and copied: what makes a warehouse costs more than many a test."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from filelock import FileLock

from orchestration.loading.warehouse import create_warehouse
from orchestration.settings import Settings
from tests.support.forked import run_command


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the folder that all processes of this test run share."""
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that the first process to need it makes, and all others wait for."""
    folder = shared_folder(factory) / name
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            half = folder.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            half.mkdir()
            make(half)
            half.rename(folder)
    return folder


def house_settings(folder: Path) -> dict[str, str]:
    """Return the settings, by their names, of a house in a folder."""
    return {
        "SEAMLINE_LANDING": str(folder / "landing"),
        "SEAMLINE_WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse/catalog.sqlite",
        "SEAMLINE_SOURCES": str(folder / "sources.toml"),
        "SEAMLINE_COLUMNS": str(folder / "columns.yml"),
        "DAGSTER_HOME": str(folder / "dagster"),
    }


@pytest.fixture(scope="session")
def prepared_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with warehouse/ and dagster/ as `make run` prepares them, all tables empty."""

    def prepare(folder: Path) -> None:
        run_orchestration("prepare", house_settings(folder))

    return once(tmp_path_factory, "prepared-house", prepare)


@pytest.fixture(scope="session")
def raw_house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a warehouse/ that has the raw tables, empty, and no others."""

    def create(folder: Path) -> None:
        warehouse = house_settings(folder)["SEAMLINE_WAREHOUSE"]
        create_warehouse(Settings(landing=folder / "landing", warehouse=warehouse))

    return once(tmp_path_factory, "raw-house", create)


@pytest.fixture
def made_warehouse(settings: Settings, raw_house: Path) -> Settings:
    """The empty house of a test, with the raw tables."""
    move_in(raw_house, settings.catalog.parent.parent)
    return settings


def move_in(made: Path, folder: Path) -> None:
    """Copy what is made into a folder; the times of the files and links stay."""
    shutil.copytree(made, folder, symlinks=True, dirs_exist_ok=True)


def run_orchestration(command: str, house: Mapping[str, str]) -> None:
    """Run `python -m orchestration` to its good end."""
    done = run_command([command], plain_environment() | house)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr)


def plain_environment() -> dict[str, str]:
    """This process's environment without settings of the house the tests run in."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEAMLINE_", "DAGSTER_"))
    }
