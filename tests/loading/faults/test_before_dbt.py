"""F13: a process dies after it has loaded and before dbt. The next tick brings the models up."""

import dagster as dg
import pytest

from orchestration.reload import reload_rejected
from receiver.events import Limits
from tests.defs.test_sensor import tick, wanted
from tests.support import landed
from tests.support.forked import run_models
from tests.support.killed_loads import Child, Sent, environment, waiting
from tests.support.lake import Lake
from tests.support.load_children import load_files

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    """A Dagster that remembers nothing of what was done before."""
    return dg.DagsterInstance.ephemeral()


@pytest.fixture(autouse=True)
def _same_house(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor asks the environment where the house is."""
    for name, value in environment(lake.settings, lake.scratch).items():
        monkeypatch.setenv(name, value)


def load_and_die(lake: Lake) -> None:
    """Load everything and be killed, as the process of a run or of `make load`."""
    child = Child(load_files, lake.settings)
    child.told()
    child.kill()


def run_dbt(lake: Lake, *models: str) -> None:
    run_models(models, environment(lake.settings, lake.scratch))


def test_what_a_process_loaded_before_it_died_is_asked_for_though_no_file_waits(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    Sent(lake.settings).land(1, calls=("track",))
    load_and_die(lake)

    assert waiting(lake.settings) == set()
    asked = wanted(tick(instance))
    assert "segment/track" in asked
    assert "segment/page" not in asked


def test_a_run_of_other_models_leaves_it_to_be_done(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    run_dbt(lake, "stg_segment__page", "page")

    assert "segment/track" in wanted(tick(instance))


def test_once_its_models_have_run_nothing_is_asked_for(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    run_dbt(lake, "stg_segment__track", "track")

    assert lake.rows("select count(*) from segment.track") == lake.rows(
        "select count(*) from raw.track"
    )
    assert isinstance(tick(instance), dg.SkipReason)


def test_so_it_is_after_a_reload_of_what_was_rejected(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    text = b'{"type": "track", "messageId": "big"}'
    lake.land("rejected", landed.rejected_line(text, reason="too_big", call="track"))
    lake.load()
    assert isinstance(tick(instance), dg.SkipReason)

    assert reload_rejected(lake.settings, Limits(event_bytes=1000, depth=10)).moved == 1

    assert "segment/track" in wanted(tick(instance))
