"""`python -m stack run`: what `make run` calls."""

import click

from stack.log_files import LogFiles
from stack.output import say, show, show_what_matters, where_to_look
from stack.ready import wait_until_ready
from stack.settings import Settings
from stack.up import stack_up, stoppable


@click.group()
def cli() -> None:
    """Seamline on one machine."""


@cli.command(help="Start the receiver and Dagster, and keep them up until Ctrl-C.")
@click.option("--verbose", is_flag=True, help="Print every line of every process.")
@stoppable()
def run(*, verbose: bool) -> None:
    """Bring the stack up, say where to look, and stay."""
    settings = Settings()
    files = LogFiles(settings.stack_logs)
    with stack_up(settings, show if verbose else show_what_matters(files)) as supervisor:
        wait_until_ready(settings, supervisor.tick)
        say(where_to_look(settings))
        if not verbose:
            say(f"What matters is said here; all of it is in {files.folder}.\n")
        supervisor.stay()


if __name__ == "__main__":
    cli(prog_name="python -m stack")
