"""`python -m receiver`: receive until told to stop; import files; ship to a store."""

import sys

import click

from receiver.settings import Settings

_INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


@click.group(invoke_without_command=True)
@click.pass_context
def cli(context: click.Context) -> None:
    """Receive Segment's calls, until told to stop."""
    if context.invoked_subcommand is None:
        from receiver.server.application import serve  # noqa: PLC0415 - brings gunicorn

        serve(Settings())


@cli.command(name="import")
@click.argument("places", metavar="FILE...", nargs=-1, required=True)
@click.option("--source", help="The source's name the events get, instead of `import`.")
def import_(places: tuple[str, ...], source: str | None) -> None:
    """Land events from elsewhere: files, folders, patterns, s3://, gs:// and az:// addresses."""
    from receiver.importing.command import import_places  # noqa: PLC0415 - brings obstore

    try:
        is_whole = import_places(places, source, Settings())
    except KeyboardInterrupt:
        click.echo("Stopped. The same command again goes on from here.", err=True)
        sys.exit(_INTERRUPTED)
    sys.exit(0 if is_whole else 1)


@cli.command()
@click.option("--once", is_flag=True, help="Ship what is sealed now, and exit.")
def ship(*, once: bool) -> None:
    """Ship sealed files to SEAMLINE_LANDING_REMOTE, until told to stop."""
    from receiver.shipping.process import ship  # noqa: PLC0415 - brings obstore

    try:
        ship(Settings(), once=once)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


def main() -> None:
    """Do what the command line says."""
    cli(prog_name="python -m receiver")


if __name__ == "__main__":
    main()
