"""`seamline fetch`: exchanges with the store for as long as it runs, beside the loads.

So no load waits for the store, and nothing that loads has to know of it: what was fetched is a
sealed file like any other.
"""

import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from landed.errors import ReportedError
from landed.object_store import SETTING, Store
from orchestration.loading.archive import DamagedArchiveError
from orchestration.loading.load import Progress
from orchestration.remote import everything
from orchestration.remote.counts import bring_counts
from orchestration.remote.exchange import Exchange, exchange
from orchestration.remote.fetch import fetch
from orchestration.remote.known import KnownObjects
from orchestration.remote.replica import Rested, replicate
from orchestration.remote.settle import Unreadable, settle
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
    """
    with exchange(settings) as ex:
        return Exchanging().once(ex) if ex else 0


def bring_all_that_waits(settings: Settings) -> None:
    """Fetch everything that waits in the store now, however much it is; nothing without a store.

    Raises:
        ReportedError: the store does not answer, or there is no room: not all of it has come.
    """
    with exchange(settings) as ex:
        if ex:
            with _put_off([]):  # `finish` says it
                settle(ex)
            left = fetch(ex, is_bounded=False).left
            if left:
                raise ReportedError(
                    f"{left} files or more wait in {ex.store.address}, and the disk here has no "
                    "room for them. Nothing of them is lost; once there is room, ask once more."
                )


def finish(settings: Settings, *, lists_store: bool = False) -> None:
    """See that the store has everything as it is here; nothing without a store.

    Args:
        settings: Where both are.
        lists_store: Whether the store is asked what it has: see `replicate`.

    Raises:
        StoreError, AnothersStoreError, ExchangeBusyError: it has not.
        OSError, DamagedArchiveError: it has not what cannot be read here.
    """
    with exchange(settings) as ex:
        if ex:
            unreadable: list[Unreadable] = []
            with _put_off(unreadable):
                settle(ex)
            replicate(ex, lists_store=lists_store)
            if unreadable:
                raise unreadable[0]


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


@contextmanager
def _put_off(unreadable: list[Unreadable]) -> Iterator[None]:
    """Note that a file cannot be read here: what has nothing to do with it goes on."""
    try:
        yield
    except (OSError, DamagedArchiveError) as error:
        unreadable.append(error)


class Exchanging:
    """Exchanges one after the other, which leave alone what an earlier one has looked at."""

    def __init__(self) -> None:
        """Begin with nothing looked at."""
        self._rested: Rested = {}
        self._looked_aside = float("-inf")

    def once(self, ex: Exchange) -> int:
        """Settle, fetch, and bring the replica up to date; return how many files were fetched.

        Raises:
            OSError, DamagedArchiveError: some file cannot be read here; all the rest was done.
        """
        unreadable: list[Unreadable] = []
        with _put_off(unreadable):
            settle(ex)
        fetched = fetch(ex).files
        if time.monotonic() - self._looked_aside >= ASIDE_SECONDS:
            with _put_off(unreadable):
                replicate(ex, self._rested, REPLICA_SECONDS)
            bring_counts(ex)
            self._looked_aside = time.monotonic()
        if unreadable:
            raise unreadable[0]
        return fetched


def stay(settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
    """Exchange until told to stop; whatever is in the way is said once, and tried again.

    Raises:
        ReportedError: there is no store.
    """
    if settings.landing_remote is None:
        raise ReportedError(_NOT_SET)
    exchanging = Exchanging()
    opened: Store | None = None
    pause, problem = 0.0, None
    while True:
        try:
            opened = opened or Store(settings.landing_remote)  # and its connections stay
            with exchange(settings, opened=opened) as ex:
                fetched = exchanging.once(ex) if ex else 0
        except (ReportedError, OSError, sqlite3.Error) as error:
            said = error.message if isinstance(error, ReportedError) else str(error)
            if said != problem:
                log.warning("%s. What waits in the store is kept, and this is tried again.", said)
                problem = said
            _note(settings, said)
            pause = min(LONGEST_PAUSE, max(1.0, pause * 2))
            sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - not all at the same moment
            continue
        if problem:
            log.warning("%s can be used again.", settings.landing_remote)
        pause, problem = 0.0, None
        if fetched:
            log.info("Fetched %d files from %s", fetched, settings.landing_remote)
        else:
            sleep(LOOK_SECONDS)


def _note(settings: Settings, problem: str) -> None:
    with suppress(OSError, sqlite3.Error):
        known = KnownObjects(settings.landing)
        known.note_problem(problem)
        known.close()
