"""The power goes after a warehouse was made again: what was made is there, its past too."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.erasure.erase import forget
from orchestration.loading.load import load
from tests.support.faults.power_cut import JournalledHouse
from tests.support.house import House
from tests.support.person import WHO


def keep(_: House) -> None:
    """Leave the warehouse where it is."""


def lose(house: House) -> None:
    """Remove the whole warehouse."""
    shutil.rmtree(house.settings.catalog.parent)


@pytest.mark.parametrize(
    ("prepare", "command"),
    [
        pytest.param(keep, "rebuild", id="by make rebuild", marks=pytest.mark.long),
        pytest.param(lose, "load", id="by the load that finds it lost", marks=pytest.mark.long),
    ],
)
def test_a_warehouse_that_was_made_again_survives_it(
    house: House,
    shim_library: Path,
    prepare: Callable[[House], None],
    command: str,
) -> None:
    forget(house.settings, WHO, suppress=False)
    prepare(house)
    journalled = JournalledHouse(house, shim_library)
    journalled.run("-m", "orchestration", command)

    assert journalled.unsynced() == []
    left = journalled.cut_at_the_end()
    load(left.settings)
    left.models()
    assert left.problems() == []
