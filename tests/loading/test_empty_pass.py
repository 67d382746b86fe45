"""A pass by hand that finds nothing to do does not start dbt, nor import it."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from landed.settings import ROOT
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.processes import plain_environment

pytestmark = pytest.mark.timeout(600)

STARTED = "Running with dbt"


@pytest.fixture(scope="module")
def house(built_house: House) -> House:
    """All tables are there, and one pass was made; each test leaves it up to date."""
    built_house.run("load")
    assert STARTED not in built_house.run("load")
    return built_house


def an_event(house: House) -> None:
    house.land("track", landed.line({"messageId": "m", "type": "track"}))


def a_rule(house: House) -> None:
    house.settings.columns.write_text("max_columns: 500\n")


def a_dropped_view(house: House) -> None:
    with writer_lock(house.settings), connect(house.settings) as con:
        con.execute("drop view segment_warehouse.tracks")


@pytest.mark.long
@pytest.mark.parametrize("change", [an_event, a_rule, a_dropped_view])
def test_whatever_has_changed_is_brought_up_to_date(
    house: House, change: Callable[[House], None]
) -> None:
    change(house)

    assert STARTED in house.run("load")

    assert STARTED not in house.run("load")
    assert house.rows("select count(*) from segment_warehouse.tracks") == house.rows(
        "select count(*) from raw.track"
    )


def test_neither_dbt_nor_dagster_is_imported(house: House) -> None:
    program = (
        "import sys; from orchestration.__main__ import cli; "
        "cli(['load'], standalone_mode=False); "
        "sys.exit(sorted({'dbt', 'dagster', 'agate'} & sys.modules.keys()) or 0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=plain_environment() | house.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
