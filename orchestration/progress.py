"""A progress bar for commands that may take long."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress as Bar

from orchestration.loading.load import Progress

log = logging.getLogger(__name__)

SILENT_SECONDS = 10
"""Where there is no terminal, a line so often."""


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """Show how far a `with` block is: as a bar on a terminal, else as a line now and then.

    Args:
        unit: What is counted.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines(unit)
        return
    with Bar(console=console) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _lines(unit: str) -> Progress:
    said = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= SILENT_SECONDS:
            said = time.monotonic()
            log.info("%d of %d %s done", done, total, unit)

    return progress
