"""`python -m demo`: the stack of `make run`, with made-up events that go all the way."""

from __future__ import annotations

import secrets
import sys
import time
from typing import TYPE_CHECKING

import click

from demo.events import FEWEST
from demo.timeline import Plan, Timeline
from orchestration.warehouse import connection
from stack import settings as stack_settings
from stack.output import Prefixed, nothing, say, where_to_look
from stack.ready import wait_until_ready
from stack.up import stack_up, with_reason

if TYPE_CHECKING:
    from stack.settings import Settings


@click.command(help="Start Seamline, send made-up events, and show them arrive in the tables.")
@click.option("--once", is_flag=True, help="Stop at the end; exit 0 if every event arrived once.")
@click.option(
    "--events",
    type=click.IntRange(min=FEWEST),
    default=1000,
    show_default=True,
    help="How many different events.",
)
@click.option("--seed", type=int, help="The same seed sends the same events again.")
@click.option("--timeout", default=180.0, show_default=True, help="Seconds until giving up.")
@click.option("--verbose", is_flag=True, help="Show what the processes print.")
def cli(*, once: bool, events: int, seed: int | None, timeout: float, verbose: bool) -> None:
    """Show with made-up events that what is sent arrives."""
    plan = Plan(
        events=events,
        seed=secrets.randbelow(10**9) if seed is None else seed,
        timeout=timeout,
    )
    sys.exit(with_reason(lambda: run(stack_settings.read(), plan, once=once, verbose=verbose)))


def run(settings: Settings, plan: Plan, *, once: bool, verbose: bool) -> int:
    """Start the stack, send the events, show them arrive, and stay up unless told otherwise.

    Args:
        settings: Of all parts.
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
        with connection.connect(settings.orchestration, read_only=True) as con:
            problems = Timeline(settings, plan, con, supervisor.tick, deadline).show()
        if not once:
            say(where_to_look(settings))
            while True:
                supervisor.tick()
    return 1 if problems else 0
