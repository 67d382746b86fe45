"""Native threads: where blocking work runs, whatever threads are.

gunicorn's gevent worker turns threads into greenlets, and a greenlet that waits for the
disk holds up every other one. There the work goes to a real thread; elsewhere the calling
thread is one already.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import gevent
from gevent import monkey

Result = TypeVar("Result")


def run_native(work: Callable[[], Result]) -> Result:
    """Run work that blocks or takes long, and wait for it without holding up other requests.

    Args:
        work: must not log or use locks: in a real thread those of greenlets do not hold.

    Returns:
        What the work returns.
    """
    if not monkey.is_module_patched("threading"):
        return work()
    result: Result = gevent.get_hub().threadpool.apply(work)
    return result


def let_others_run() -> None:
    """Give other requests a turn: a greenlet that always has something to do takes them all."""
    if monkey.is_module_patched("threading"):
        gevent.sleep(0)


@contextmanager
def deadline(seconds: float, error: Exception) -> Iterator[None]:
    """Raise an error in a block that waits longer than that; a real thread may wait for ever."""
    if not monkey.is_module_patched("threading"):
        yield
        return
    with gevent.Timeout(seconds, error):
        yield
