"""The commands of `python -m stack`."""

from __future__ import annotations

import sys

import click

from stack import settings
from stack.output import Prefixed, say, where_to_look
from stack.ready import wait_until_ready
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
