"""`python -m receiver`: receive until told to stop; `… import`: land files from elsewhere."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

from landed.settings import WrongSettingsError
from receiver.errors import StartError
from receiver.settings import Settings

P = ParamSpec("P")

_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def _one_line_on_problem(command: Callable[P, None]) -> Callable[P, None]:
    """Turn what keeps a command from starting into one line and exit status 1."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (StartError, WrongSettingsError) as error:
            sys.exit(f"receiver: {error}")

    return wrapped


@click.group(invoke_without_command=True)
@click.pass_context
@_one_line_on_problem
def cli(context: click.Context) -> None:
    """Receive Segment's calls, until told to stop."""
    if context.invoked_subcommand is None:
        from receiver.server.application import serve  # noqa: PLC0415 - brings gunicorn

        serve(Settings())


@cli.command(name="import")
@click.argument("places", metavar="FILE...", nargs=-1, required=True)
@click.option("--source", help="The source's name the events get, instead of `import`.")
@_one_line_on_problem
def import_(places: tuple[str, ...], source: str | None) -> None:
    """Land events from elsewhere: files, folders, patterns, s3://, gs:// and az:// addresses."""
    from receiver.importing.command import import_places  # noqa: PLC0415 - brings obstore

    try:
        is_whole = import_places(places, source, Settings())
    except KeyboardInterrupt:
        click.echo("Stopped. The same command again goes on from here.", err=True)
        sys.exit(_INTERRUPTED)
    sys.exit(0 if is_whole else 1)


def main() -> None:
    """Do what the command line says."""
    cli(prog_name="python -m receiver")


if __name__ == "__main__":
    main()
