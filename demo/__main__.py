"""`python -m demo`: the stack of `make run`, with made-up events that go all the way."""

import secrets
import sys
import time

import click

from demo.events import FEWEST
from demo.timeline import Timeline
from orchestration.warehouse.connection import connect
from stack.output import nothing, say, show, where_to_look
from stack.ready import wait_until_ready
from stack.settings import Settings
from stack.up import stack_up, stoppable


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
@stoppable()
def cli(*, once: bool, events: int, seed: int | None, timeout: float, verbose: bool) -> None:
    """Show with made-up events that what is sent arrives, and stay up unless told otherwise."""
    seed = secrets.randbelow(10**9) if seed is None else seed
    settings = Settings()
    with stack_up(settings, show if verbose else nothing) as supervisor:
        deadline = time.monotonic() + timeout
        say("Starting the receiver and Dagster …")
        wait_until_ready(settings, supervisor.tick, timeout)
        with connect(settings, read_only=True) as con:
            tick = supervisor.tick
            demo = Timeline(settings, con, tick, events=events, seed=seed, deadline=deadline)
            problems = demo.show()
        if not once:
            say(where_to_look(settings))
            supervisor.stay()
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    cli(prog_name="python -m demo")
