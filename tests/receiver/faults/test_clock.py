"""F10: the wall clock jumps, and files go on being named, written and sealed."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.support.fault_driver import (
    Driver,
    judge,
    settle,
)
from tests.support.fault_shim import Shim
from tests.support.receiver import RunningReceiver, eventually

HOUR = 3600


def test_a_jumping_clock_loses_nothing_and_is_written_down_as_it_was(
    start_receiver: Callable[..., RunningReceiver], shim: Shim
) -> None:
    running = start_receiver(seal_seconds=0.2)
    driver = Driver(running, batch=4)
    for offset in (-HOUR, 24 * HOUR, -HOUR, 0, 1, -400 * 24 * HOUR, 0):
        shim.control.clock_offset = offset
        sealed = len(list(running.landing.glob("*/*.ndjson")))
        assert eventually(
            lambda sealed=sealed: len(list(running.landing.glob("*/*.ndjson"))) > sealed + 3
        )
    sent = driver.stop()
    settle(running)

    verdict = judge(running.landing, sent)
    assert verdict.faults == {}
    assert verdict.promised > 50
    lines = [json.loads(line) for line in running.lines()]
    days = {(line["received_at"][:10], line["received_at"][11:13]) for line in lines}
    assert len(days) >= 4
    names = [path.name for path in running.landing.glob("*/*.ndjson")]
    assert len(set(names)) == len(names)


def test_the_time_an_event_was_received_is_the_clocks(
    start_receiver: Callable[..., RunningReceiver], shim: Shim
) -> None:
    running = start_receiver()
    shim.control.clock_offset = 24 * HOUR

    running.post("/v1/track", '{"messageId":"tomorrow"}')

    (line,) = running.landed("tomorrow")
    received = datetime.fromisoformat(line["received_at"])
    assert abs(received.timestamp() - 24 * HOUR - time.time()) < 10
    assert received.tzinfo == UTC
