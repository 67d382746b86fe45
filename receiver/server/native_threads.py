"""Native threads: where blocking work runs, whatever threads are.

gunicorn's gevent worker turns threads into greenlets, and a greenlet that waits for the
disk holds up every other one. There the work goes to a real thread; elsewhere the calling
thread is one already.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import NamedTuple, TypeVar
from weakref import WeakValueDictionary

import gevent
import gevent.event
from gevent import monkey
from gevent.lock import BoundedSemaphore

NATIVELY_FROM = 64 << 10
"""From so many bytes on, what looks at each of them is computed in a native thread."""

NEXT_LOOK = 1e-9
"""Seconds to sleep until the loop has looked for what has arrived; with 0 it does that only after
fifty such turns, and a request that comes meanwhile waits for all of them."""

_one_turn = BoundedSemaphore(1)
_one_computation = BoundedSemaphore(1)
_elsewhere: ContextVar[float] = ContextVar("elsewhere", default=0.0)

Result = TypeVar("Result")

_Turns = WeakValueDictionary[str, BoundedSemaphore]
_computations: _Turns = WeakValueDictionary()  # of each sender who waits for its turn, its own
_turns: _Turns = WeakValueDictionary()


class Turn(NamedTuple):
    """In whose turn a request computes."""

    sender: str
    must_have_left: Callable[[], None] = lambda: None
    """Raises where meanwhile the sender has used up what it may cost."""


NOBODYS = Turn("")
_turn: ContextVar[Turn] = ContextVar("turn", default=NOBODYS)


def compute_as(turn: Turn) -> None:
    """Say in whose turn the request being handled computes from now on, once that is known."""
    _turn.set(turn)


def work_seconds() -> float:
    """Return a clock of the processor's time that goes into the request being handled.

    It counts what native threads do for it, and stands still while this thread serves others.
    """
    return time.thread_time() + _elsewhere.get()


def run_native(work: Callable[[], Result]) -> Result:
    """Run work that blocks, and wait for it without holding up other requests.

    Args:
        work: must not log or use locks: in a real thread those of greenlets do not hold.

    Returns:
        What the work returns.
    """
    if not monkey.is_module_patched("threading"):
        return work()
    seconds = 0.0

    def timed() -> Result:
        nonlocal seconds
        started = time.thread_time()
        try:
            return work()
        finally:
            seconds = time.thread_time() - started

    try:
        with _others_served():
            result: Result = gevent.get_hub().threadpool.apply(timed)
    finally:
        _elsewhere.set(_elsewhere.get() + seconds)
    return result


def event() -> threading.Event | gevent.event.Event:
    """Return an event for this process's threads: threading's costs a lot with gevent's locks."""
    is_patched = monkey.is_module_patched("threading")
    return gevent.event.Event() if is_patched else threading.Event()


def compute(work: Callable[[], Result]) -> Result:
    """Run work that computes for long: in a native thread, one at a time.

    Of several at once each would take the interpreter's lock from those who answer in time. Of
    each sender's one waits for its turn, and its others for that one: whoever sends many holds up
    nobody for longer than with one.

    Args:
        work: as of `run_native`.

    Returns:
        What the work returns.

    Raises:
        ThrottledError: when the turn has come, its sender has used up what it may cost.
    """
    turn = _turn.get()
    with _senders_turn(turn):
        return _compute(turn, work)


def compute_in_turns(work: Generator[None, None, Result]) -> Result:
    """Run a generator that computes for very long, and give its turn up at each of its `yield`s.

    Those of the same sender still wait for all of it: what several have begun would never end, if
    each used up what the others may cost.

    Args:
        work: as of `run_native`, from each `yield` to the next; not in the same thread each time.

    Returns:
        What the generator returns.

    Raises:
        ThrottledError: as `compute`, in each of its turns.
    """
    turn = _turn.get()
    with _senders_turn(turn):
        while (ended := _compute(turn, partial(_step, work))) is None:
            let_others_run()
    return ended[0]


def _step(work: Generator[None, None, Result]) -> tuple[Result] | None:
    try:
        next(work)
    except StopIteration as end:
        return (end.value,)
    return None


def _compute(turn: Turn, work: Callable[[], Result]) -> Result:
    if not monkey.is_module_patched("threading"):
        turn.must_have_left()
        return work()
    with _in_turn(_one_computation):
        turn.must_have_left()
        return run_native(work)


def let_others_run() -> None:
    """Give other requests a turn: a greenlet that always has something to do takes them all.

    Of those who ask, one goes on after each look at what has arrived: a small request waits for
    one turn of a long one, however many long ones there are. Of each sender's requests one asks.
    """
    if monkey.is_module_patched("threading"):
        with _others_served(), _of_sender(_turn.get(), _turns), _one_turn:
            gevent.sleep(NEXT_LOOK)


def while_growing(size: Callable[[], int], seconds: float) -> None:
    """Let others run for as long as each look at what has arrived adds something.

    Args:
        size: what they add to; nothing is waited for while it is 0.
        seconds: after so many it has been enough.
    """
    if not monkey.is_module_patched("threading"):
        return
    until = time.monotonic() + seconds
    before = 0
    while before < (now := size()) and time.monotonic() < until:
        before = now
        gevent.sleep(NEXT_LOOK)


@contextmanager
def deadline(seconds: float, error: Exception) -> Iterator[None]:
    """Raise an error in a block that waits longer than that; a real thread may wait for ever."""
    if not monkey.is_module_patched("threading"):
        yield
        return
    with gevent.Timeout(seconds, error):
        yield


def _of_sender(turn: Turn, among: _Turns) -> BoundedSemaphore:
    return among.setdefault(turn.sender, BoundedSemaphore(1))


@contextmanager
def _senders_turn(turn: Turn) -> Iterator[None]:
    if not monkey.is_module_patched("threading"):
        yield
        return
    with _in_turn(_of_sender(turn, _computations)):
        yield


@contextmanager
def _in_turn(one: BoundedSemaphore) -> Iterator[None]:
    with _others_served():
        one.acquire()
    try:
        yield
    finally:
        one.release()


@contextmanager
def _others_served() -> Iterator[None]:
    """Leave out of the clock what this thread does for others in a block that waits."""
    before = work_seconds()
    try:
        yield
    finally:
        _elsewhere.set(_elsewhere.get() - (work_seconds() - before))
