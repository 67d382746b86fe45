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
from gevent.lock import BoundedSemaphore

NATIVELY_FROM = 64 << 10
"""From so many bytes on, what looks at each of them is computed in a native thread."""

NEXT_LOOK = 1e-9
"""Seconds to sleep until the loop has looked for what has arrived; with 0 it does that only after
fifty such turns, and a request that comes meanwhile waits for all of them."""

_one_turn = BoundedSemaphore(1)
_one_computation = BoundedSemaphore(1)

Result = TypeVar("Result")


def run_native(work: Callable[[], Result]) -> Result:
    """Run work that blocks, and wait for it without holding up other requests.

    Args:
        work: must not log or use locks: in a real thread those of greenlets do not hold.

    Returns:
        What the work returns.
    """
    if not monkey.is_module_patched("threading"):
        return work()
    result: Result = gevent.get_hub().threadpool.apply(work)
    return result


def compute(work: Callable[[], Result]) -> Result:
    """Run work that computes for long: in a native thread, one at a time.

    Of several at once each would take the interpreter's lock from those who answer in time.

    Args:
        work: as of `run_native`.

    Returns:
        What the work returns.
    """
    if not monkey.is_module_patched("threading"):
        return work()
    with _one_computation:
        return run_native(work)


def let_others_run() -> None:
    """Give other requests a turn: a greenlet that always has something to do takes them all.

    Of those who ask, one goes on after each look at what has arrived: a small request waits for
    one turn of a long one, however many long ones there are.
    """
    if monkey.is_module_patched("threading"):
        with _one_turn:
            gevent.sleep(NEXT_LOOK)


@contextmanager
def deadline(seconds: float, error: Exception) -> Iterator[None]:
    """Raise an error in a block that waits longer than that; a real thread may wait for ever."""
    if not monkey.is_module_patched("threading"):
        yield
        return
    with gevent.Timeout(seconds, error):
        yield
