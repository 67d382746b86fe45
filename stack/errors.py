"""What stops the stack, as exceptions."""


class StackError(Exception):
    """The stack cannot start or go on. Its text is one line: what is wrong, what changes it."""


class ServiceEndedError(Exception):
    """A process of the stack has ended although nobody asked it to.

    Attributes:
        name: Which one.
        status: Its exit status; negative for the number of the signal that ended it.
        tail: The last lines it printed.
    """

    def __init__(self, name: str, status: int, tail: tuple[str, ...]) -> None:
        """Keep what is known of the end."""
        super().__init__(name, status)
        self.name = name
        self.status = status
        self.tail = tail
