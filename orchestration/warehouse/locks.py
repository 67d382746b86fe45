"""The locks of a warehouse, and what those who hold one say of themselves."""

import re
import sys
from pathlib import Path
from typing import Protocol

WRITER = "writer.lock"

TURN = "writer-turn.lock"
"""Whose turn it is to be the next writer; whoever waits has it, so that one that writes again and
again cannot come first each time."""

MARTS = "marts.lock"
"""Who runs a user's models, which do not write all the time."""

_TELLING = {"dagster", "dbt", "orchestration", "stack"}
"""Programs whose first argument is the name of a command, and nothing that a person typed in."""


class Lock(Protocol):
    """A lock that goes with its holder: when that dies, others get it."""

    @property
    def is_ours(self) -> bool:
        """Whether this lock is held, by who has it here."""

    def acquire(self, seconds: float) -> None:
        """Take it, once more if it is ours.

        Raises:
            TimeoutError: somebody else held it all the time.
            WarehouseUnusableError: the place of the lock cannot be reached.
        """

    def release(self) -> None:
        """Give it back, as often as it was taken."""

    def give_way(self) -> None:
        """Let others have it, however often it was taken."""

    def take_again(self) -> None:
        """Have it again after that, however long it takes."""

    def pin(self) -> str | None:
        """SQL that a transaction begins with, where the lock may be lost while it is held."""

    def check(self) -> None:
        """See that it is still held.

        Raises:
            LockLostError: it is not.
        """

    def holder(self) -> str:
        """Who holds it, and since when, in words."""


def command() -> str:
    """The program, and which of its commands it is; no more, as an argument may name a person."""
    arguments = sys.argv
    program = Path(arguments[0] or "python")
    name = program.parent.name if program.name == "__main__.py" else program.name
    named = [word for word in arguments[1:2] if re.fullmatch(r"[a-z][a-z-]*", word)]
    return " ".join([name, *named]) if name in _TELLING else name
