"""`python -m stack run`: what `make run` calls."""

import click

from stack.output import say, show, where_to_look
from stack.ready import wait_until_ready
from stack.settings import Settings
from stack.up import stack_up, stoppable


@click.group()
def cli() -> None:
    """Seamline on one machine."""


@cli.command(help="Start the receiver and Dagster, and keep them up until Ctrl-C.")
@stoppable()
def run() -> None:
    """Bring the stack up, say where to look, and stay."""
    settings = Settings()
    with stack_up(settings, show) as supervisor:
        wait_until_ready(settings, supervisor.tick)
        say(where_to_look(settings))
        supervisor.stay()


if __name__ == "__main__":
    cli(prog_name="python -m stack")
