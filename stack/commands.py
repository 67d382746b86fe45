"""The commands of `python -m stack`."""

from __future__ import annotations

import secrets
import sys

import click

from stack import demo as made_up
from stack import settings
from stack.events import FEWEST
from stack.output import Prefixed, say, where_to_look
from stack.ready import wait_until_ready
from stack.road import Plan
from stack.up import stack_up, with_reason


@click.group()
def cli() -> None:
    """Seamline on one machine."""


@cli.command(help="Start the receiver and Dagster, and keep them up until Ctrl-C.")
def run() -> None:
    """Bring the stack up, say where to look, and stay."""

    def work() -> int:
        chosen = settings.read()
        with stack_up(chosen, Prefixed()) as supervisor:
            wait_until_ready(chosen, supervisor.tick, say)
            say(where_to_look(chosen))
            while True:
                supervisor.tick()

    sys.exit(with_reason(work))


@cli.command(help="Start the same, send made-up events, and show them arrive in the tables.")
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
def demo(*, once: bool, events: int, seed: int | None, timeout: float, verbose: bool) -> None:
    """Show the whole road with made-up events."""
    plan = Plan(
        events=events,
        seed=secrets.randbelow(10**9) if seed is None else seed,
        timeout=timeout,
    )
    sys.exit(with_reason(lambda: made_up.run(settings.read(), plan, once=once, verbose=verbose)))
