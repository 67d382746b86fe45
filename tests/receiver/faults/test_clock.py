"""F10: the wall clock jumps, and files go on being named, written and sealed."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support.faults.driver import judge, make_event, post_events, settle
from tests.support.faults.shim import Shim
from tests.support.processes import eventually
from tests.support.receiver.server import RunningReceiver

HOUR = 3600


@pytest.fixture(scope="module")
def jumping(module_shim: Shim) -> Iterator[RunningReceiver]:
    """A receiver whose wall clock the shim moves."""
    running = RunningReceiver(
        module_shim.folder, environment=module_shim.environment, seal_seconds=0.1
    )
    yield running
    running.kill()


def test_a_jumping_clock_loses_nothing_and_is_written_down_as_it_was(
    jumping: RunningReceiver, module_shim: Shim, chance: random.Random
) -> None:
    sent = []
    for offset in (-HOUR, 24 * HOUR, -HOUR, 0, 1, -400 * 24 * HOUR, 0):
        module_shim.control.clock_offset = offset
        event = make_event(chance)
        sent += post_events(jumping, [event])
        assert eventually(lambda: not jumping.open_files())

        (line,) = jumping.landed(event.message_id)
        received = datetime.fromisoformat(line["received_at"])
        assert abs(received.timestamp() - offset - time.time()) < HOUR / 2
        assert received.tzinfo == UTC
    settle(jumping)

    assert {one.status for one in sent} == {200}
    assert judge(jumping.landing, sent).faults == {}
    assert len(jumping.sealed_files()) == len(sent)
