"""What ends a command in words: expected, and told without a traceback."""

from typing import IO, Any

import click


class ReportedError(click.ClickException):
    """A command cannot start or go on. It prints the text, and its exit status is 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the text, and nothing before it."""
        click.echo(self.message, file, err=True)
