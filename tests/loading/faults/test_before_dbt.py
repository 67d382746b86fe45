"""F13: a process dies after it has loaded and before dbt. The next tick brings the models up."""

import dagster as dg
import pytest

from orchestration.recovery.reload import reload_rejected
from receiver.events.check import Limits
from tests.defs.test_sensor import tick, wanted
from tests.support import landed
from tests.support.faults.killed_loads import Child, Sent, waiting
from tests.support.faults.load_children import load_files
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    """A Dagster that remembers nothing of what was done before."""
    return dg.DagsterInstance.ephemeral()


@pytest.fixture(autouse=True)
def _same_house(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor asks the environment where the house is."""
    house.put_into(monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def _loaded_by_who_died(house: House) -> None:
    """What was landed is loaded, by a process of a run or of `make load` that is killed then."""
    Sent(house.settings).land(1, calls=("track",))
    child = Child(load_files, house.settings)
    child.told()
    child.kill()


def test_what_a_process_loaded_before_it_died_is_asked_for_though_no_file_waits(
    house: House, instance: dg.DagsterInstance
) -> None:
    assert waiting(house.settings) == set()
    asked = wanted(tick(instance))
    assert "segment/track" in asked
    assert "segment/page" not in asked


def test_no_file_says_so_but_the_warehouse_itself(house: House) -> None:
    """A copy of it, taken then, would have to know it too."""
    beside = {path.name for path in house.settings.catalog.parent.iterdir()}

    own = {"catalog.sqlite", "data", "writer.lock", "writer-turn.lock"}
    assert {name.removesuffix("-wal").removesuffix("-shm") for name in beside} == own


@pytest.mark.long
def test_a_run_of_other_models_leaves_it_to_be_done(
    house: House, instance: dg.DagsterInstance
) -> None:
    house.models("page")

    assert "segment/track" in wanted(tick(instance))


@pytest.mark.long
def test_once_its_models_have_run_nothing_is_asked_for(
    house: House, instance: dg.DagsterInstance
) -> None:
    house.models("track")

    assert house.rows("select count(*) from segment.track") == house.rows(
        "select count(*) from raw.track"
    )
    assert isinstance(tick(instance), dg.SkipReason)


@pytest.mark.long
def test_so_it_is_after_a_reload_of_what_was_rejected(
    house: House, instance: dg.DagsterInstance
) -> None:
    text = b'{"type": "track", "messageId": "big"}'
    house.land("rejected", landed.rejected_line(text, reason="too_big", call="track"))
    house.load()
    assert "segment/track" not in wanted(tick(instance))  # its counts alone

    assert reload_rejected(house.settings, Limits(event_bytes=1000, depth=10)).moved == 1

    assert "segment/track" in wanted(tick(instance))
