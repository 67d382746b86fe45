"""`make demo`: the stack of `make run`, with made-up events that take the whole road."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestration.loading import warehouse
from stack.output import Prefixed, nothing, say, where_to_look
from stack.ready import wait_until_ready
from stack.road import Plan, Road
from stack.up import stack_up

if TYPE_CHECKING:
    from stack.settings import Settings


def run(settings: Settings, plan: Plan, *, once: bool, verbose: bool) -> int:
    """Start the stack, send the events, show them arrive, and stay up unless told otherwise.

    Args:
        settings: Of all rooms.
        plan: What to send, and how long to wait for it.
        once: Stop at the end.
        verbose: Show what the processes print.

    Returns:
        0 if every event has arrived exactly once, else 1.

    Raises:
        StackError: The time was up, or the stack cannot start.
    """
    with stack_up(settings, Prefixed() if verbose else nothing) as supervisor:
        deadline = time.monotonic() + plan.timeout
        say("Starting the receiver and Dagster …")
        wait_until_ready(settings, supervisor.tick, say, plan.timeout)
        with warehouse.connect(settings.orchestration, read_only=True) as con:
            troubles = Road(settings, plan, con, supervisor.tick, deadline).show()
        if not once:
            say(where_to_look(settings))
            while True:
                supervisor.tick()
    return 1 if troubles else 0
