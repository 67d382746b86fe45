"""What the stack prints: lines of its own, and of its processes, each under its name."""

from collections.abc import Callable

import click

from stack.log_files import LogFiles
from stack.settings import Settings
from stack.worth_showing import WorthShowing

COLOURS = {
    "receiver": "cyan",
    "fetch": "blue",
    "dagster-webserver": "yellow",
    "dagster-daemon": "magenta",
    "dagster-code": "green",
}
WIDTH = max(map(len, COLOURS))

# click writes a line and its end at once, so lines of several threads do not mix; and colours go
# to terminals only
say = click.echo


def show(name: str, line: str) -> None:
    """Print a line of a process, with its name in front."""
    say(f"{click.style(f'{name:<{WIDTH}} |', COLOURS.get(name, 'white'))} {line}")


def nothing(_name: str, _line: str) -> None:
    """Print nothing of a process; its last lines are kept for the reason it may end with."""


def show_what_matters(files: LogFiles) -> Callable[[str, str], None]:
    """Return what prints the lines that are worth a person's eye, and writes all of them down."""
    worth = WorthShowing()

    def shown(name: str, line: str) -> None:
        files.write(name, line)
        if (text := worth.of(name, line)) is not None:
            show(name, text)

    return shown


def where_to_look(settings: Settings) -> str:
    """The lines that say where everything is."""
    return f"""
Seamline is up. Ctrl-C stops it.
  send to  {settings.receiver_url}  (keys: {settings.sources})
  watch    {settings.dagster_url}  (the Dagster UI), or seamline status
  query    make sql
"""
