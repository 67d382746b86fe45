"""What stops the stack, as exceptions that a command ends with."""

import signal

from landed.errors import ReportedError


class StackError(ReportedError):
    """The stack cannot start or go on. Its text is one line: what is wrong, what changes it."""


class ServiceEndedError(StackError):
    """A process of the stack has ended although nobody asked it to.

    Attributes:
        name: Which one.
        status: Its exit status; negative for the number of the signal that ended it.
        tail: The last lines it printed.
    """

    def __init__(self, name: str, status: int, tail: tuple[str, ...]) -> None:
        """Say which process ended and how, below the last lines it printed."""
        self.name, self.status, self.tail = name, status, tail
        how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        last = [f"The last lines of {name}:", *(f"  | {line}" for line in tail)] if tail else []
        super().__init__("\n".join([*last, f"Stopped, because {name} ended: {how}."]))
