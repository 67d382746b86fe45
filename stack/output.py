"""What the stack prints: lines of its own, and the lines of its processes, each under its name."""

import click

from stack.settings import Settings

COLOURS = {"receiver": "cyan", "dagster-webserver": "yellow", "dagster-daemon": "magenta"}
WIDTH = max(map(len, COLOURS))

# click writes a line and its end at once, so lines of several threads do not mix; and colours go
# to terminals only
say = click.echo


def show(name: str, line: str) -> None:
    """Print a line of a process, with its name in front."""
    say(f"{click.style(f'{name:<{WIDTH}} |', COLOURS.get(name, 'green'))} {line}")


def nothing(_name: str, _line: str) -> None:
    """Print nothing of a process; its last lines are kept for the reason it may end with."""


def where_to_look(settings: Settings) -> str:
    """The lines that say where everything is."""
    return f"""
Seamline is up. Ctrl-C stops it.
  send to  {settings.receiver_url}  (keys: {settings.sources})
  watch    {settings.dagster_url}  (the Dagster UI)
  query    make sql
"""
