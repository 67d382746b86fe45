"""`seamline fetch`: exchanges with the store for as long as it runs, beside the loads.

So no load waits for the store, and nothing that loads has to know of it: what was fetched is a
sealed file like any other.
"""

import logging
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from landed.errors import ReportedError
from landed.object_store import SETTING, Store, StoreError
from orchestration.loading.archive import DamagedArchiveError
from orchestration.loading.load import Progress
from orchestration.remote import everything
from orchestration.remote.counts import bring_counts
from orchestration.remote.exchange import Exchange, exchange
from orchestration.remote.fetch import fetch
from orchestration.remote.known import KnownObjects
from orchestration.remote.replica import Rested, replicate
from orchestration.remote.settle import Problem, settle
from orchestration.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks at what waits in the store: a request to list it each."""

_NOT_SET = f"{SETTING} says where from, such as s3://bucket/prefix: it is not set."

ASIDE_SECONDS = 30.0
"""Between two looks at what else there is to keep, and at what receivers have counted."""

REPLICA_SECONDS = 30.0
"""For so long files are put in one exchange, before what waits is looked for again."""

LONGEST_PAUSE = 60.0
"""A store that fails is asked again after so long at most."""


def fetch_once(settings: Settings) -> int:
    """Exchange once: fetch what waits, settle what was loaded, bring the replica up to date.

    Returns:
        How many files were fetched; 0 without a store.

    Raises:
        StoreError, AnothersStoreError, ExchangeBusyError: it was not, or not all of it.
        OSError, DamagedArchiveError: some file cannot be read here; all the rest was done.
    """
    exchanging = Exchanging()
    with exchange(settings) as ex:
        fetched = exchanging.once(ex) if ex else 0
    if exchanging.problem:
        raise exchanging.problem
    return fetched


def bring_all_that_waits(settings: Settings) -> list[str]:
    """Fetch everything that waits in the store now, however much it is; nothing without a store.

    Returns:
        The objects that wait and cannot be used, whatever is in them: they stay there.

    Raises:
        ReportedError: the store does not answer, or there is no room: not all of it has come.
    """
    with exchange(settings) as ex:
        if ex is None:
            return []
        _problem_of(partial(settle, ex))  # `finish` says it
        fetched = fetch(ex, is_bounded=False)
        if fetched.left:
            raise ReportedError(
                f"{fetched.left} files or more wait in {ex.store.address}, and the disk here has "
                "no room for them. Nothing of them is lost; once there is room, ask once more."
            )
        return fetched.useless


def finish(settings: Settings, *, lists_store: bool = False) -> list[str]:
    """See that the store has everything as it is here; nothing without a store.

    Args:
        settings: Where both are.
        lists_store: Whether the store is asked what it has: see `replicate`.

    Returns:
        Objects there of loaded files that are lost here: they stay as they are.

    Raises:
        StoreError, AnothersStoreError, ExchangeBusyError: it has not.
        OSError, DamagedArchiveError: it has not what cannot be read here.
    """
    with exchange(settings) as ex:
        if ex is None:
            return []
        problem = _problem_of(partial(settle, ex))
        lost = replicate(ex, lists_store=lists_store)
        if problem:
            raise problem
        ex.known.note_kept()
        return [key for key in lost if ex.store.look(key)]


def bring_everything(settings: Settings, progress: Progress | None = None) -> everything.Brought:
    """Bring all that another loader has kept in the store here, and be its loader from now on.

    Raises:
        ReportedError: there is no store, or it does not answer; what has come stays. Or there are
            files here already that are not the store's: nothing was changed.
    """
    with exchange(settings, take_over=everything.begin) as ex:
        if ex is None:
            raise ReportedError(_NOT_SET)
        return everything.bring_everything(ex, progress)


def _problem_of(work: Callable[[], object]) -> Problem | None:
    """Do something; return what is wrong with some file: what has nothing to do with it goes on."""
    try:
        work()
    except (OSError, DamagedArchiveError, StoreError) as problem:
        return problem
    return None


class Exchanging:
    """Exchanges one after the other, which leave alone what an earlier one has looked at."""

    def __init__(self) -> None:
        """Begin with nothing looked at."""
        self._rested: Rested = {}
        self._looked_aside = float("-inf")
        self._settles_at = float("-inf")
        self._pause = 0.0
        self._settling: Problem | None = None
        self._aside: Problem | None = None

    @property
    def problem(self) -> Problem | None:
        """What could not be kept in the store or brought, when it was tried last."""
        return self._settling or self._aside

    def once(self, ex: Exchange) -> int:
        """Settle, fetch, and bring the replica up to date; return how many files were fetched.

        A file that cannot be read here or is not taken there is a `problem`, and tried again after
        a while; all the rest is done.
        """
        if time.monotonic() >= self._settles_at:
            self._settle(ex)
        fetched = fetch(ex).files
        if time.monotonic() - self._looked_aside >= ASIDE_SECONDS:
            replicating = _problem_of(partial(replicate, ex, self._rested, REPLICA_SECONDS))
            if not self._settling and not replicating:
                ex.known.note_kept()  # also if it goes on: the first time it may take days
            counting = _problem_of(partial(bring_counts, ex))
            self._aside = replicating or counting
            self._looked_aside = time.monotonic()
        return fetched

    def _settle(self, ex: Exchange) -> None:
        self._settling = _problem_of(partial(settle, ex))
        self._pause = min(LONGEST_PAUSE, max(1.0, self._pause * 2)) if self._settling else 0.0
        self._settles_at = time.monotonic() + self._pause


def stay(settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
    """Exchange until told to stop; whatever is in the way is said once, and tried again.

    Raises:
        ReportedError: there is no store.
    """
    if settings.landing_remote is None:
        raise ReportedError(_NOT_SET)
    exchanging = Exchanging()
    opened: Store | None = None
    pause = 0.0
    said: str | None = None
    while True:
        fetched = 0
        failed: Exception | None = None
        try:
            opened = opened or Store(settings.landing_remote)  # and its connections stay
            with exchange(settings, opened=opened) as ex:
                fetched = exchanging.once(ex) if ex else 0
        except (ReportedError, OSError, sqlite3.Error) as error:
            failed = error
        said = _say(settings, failed or exchanging.problem, said)
        if fetched:
            log.info("Fetched %d files from %s", fetched, settings.landing_remote)
        if failed:
            pause = min(LONGEST_PAUSE, max(1.0, pause * 2))
            sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - not all at the same moment
            continue
        pause = 0.0
        if not fetched:
            sleep(LOOK_SECONDS)


def _say(settings: Settings, problem: Exception | None, before: str | None) -> str | None:
    """Say what is wrong, if that was not said before; return what it is."""
    if problem is None:
        if before:
            log.warning("%s can be used again.", settings.landing_remote)
        return None
    said = problem.message if isinstance(problem, ReportedError) else str(problem)
    if said != before:
        log.warning("%s. What waits in the store is kept, and this is tried again.", said)
    _note(settings, said)
    return said


def _note(settings: Settings, problem: str) -> None:
    with suppress(OSError, sqlite3.Error):
        known = KnownObjects(settings.landing)
        known.note_problem(problem)
        known.close()
