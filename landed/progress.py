"""How far a command is: rich's bars on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, Task, TaskID


class Bars(Progress):
    """The progress of one task or several; a context manager."""

    def __init__(
        self,
        *columns: Any,
        line: Callable[[Task], str],
        seconds: float = 10.0,
        to_stderr: bool = False,
        **how: Any,
    ) -> None:
        """Choose where to, and how.

        Args:
            columns: rich's, of the bars; rich's own choice if there are none.
            line: What to say of a task where there is no terminal.
            seconds: Between two lines; a task that is done sooner is not talked about.
            to_stderr: Whether standard output is for something else.
            how: What else rich takes.
        """
        console = Console(stderr=to_stderr)
        super().__init__(*columns, console=console, disable=not console.is_terminal, **how)
        self._line = line
        self._seconds = seconds
        self._due: dict[TaskID, float] = {}

    def reach(self, task_id: TaskID, completed: float, **more: Any) -> None:
        """Say that a task has come so far.

        Args:
            task_id: Which one, as `add_task` named it.
            completed: How far it is.
            more: What else `update` takes: the total, or fields of the columns.
        """
        before = self._tasks[task_id].completed
        self.update(task_id, completed=completed, **more)
        now = time.monotonic()
        due = self._due.setdefault(task_id, now + self._seconds)
        if self.disable and completed != before and now >= due:
            self._due[task_id] = now + self._seconds
            self.say(self._line(self._tasks[task_id]))

    def say(self, line: str) -> None:
        """Print a line, above the bars if there are some."""
        if self.disable:
            click.echo(line, err=self.console.stderr)
        else:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
