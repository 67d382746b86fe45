"""What the stack prints: lines of its own, and the lines of its processes, each under its name."""

from __future__ import annotations

import itertools
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.settings import Settings

COLOURS = (36, 33, 35, 32, 34)
WIDTH = len("dagster-webserver")


def say(line: str = "") -> None:
    """Print a line of the stack's own."""
    _write(line)


def where_to_look(settings: Settings) -> str:
    """The lines that say where everything is."""
    return "\n".join(
        [
            "",
            "Seamline is up. Ctrl-C stops it.",
            f"  send to  {settings.receiver_url}  (keys: {settings.receiver.sources})",
            f"  watch    {settings.dagster_url}  (the Dagster UI)",
            "  query    make sql",
            "",
        ]
    )


class Prefixed:
    """Prints a process's lines with its name in front, in a colour of its own on a terminal."""

    def __init__(self) -> None:
        """Start with no names known."""
        self._colours = itertools.cycle(COLOURS)
        self._colour: dict[str, int] = {}

    def __call__(self, name: str, line: str) -> None:
        """Print one line of the process of that name."""
        prefix = f"{name:<{WIDTH}} |"
        if sys.stdout.isatty():
            colour = self._colour.setdefault(name, next(self._colours))
            prefix = f"\033[{colour}m{prefix}\033[0m"
        _write(f"{prefix} {line}")


def nothing(_name: str, _line: str) -> None:
    """Print nothing of a process; its last lines are kept for the reason it may end with."""


def _write(line: str) -> None:
    # one write, so that lines of several threads do not mix
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
