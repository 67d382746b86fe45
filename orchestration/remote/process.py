"""`seamline fetch`: exchanges with the store for as long as it runs, beside the loads.

So no load waits for the store, and nothing that loads has to know of it: what was fetched is a
sealed file like any other.
"""

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress

from landed.errors import ReportedError
from landed.object_store import SETTING, StoreError
from orchestration.loading.load import Progress
from orchestration.remote import everything
from orchestration.remote.everything import Brought
from orchestration.remote.exchange import Exchange, exchange
from orchestration.remote.fetch import fetch
from orchestration.remote.known import KnownObjects
from orchestration.remote.replica import Rested, replicate
from orchestration.remote.settle import settle
from orchestration.settings import Settings

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Between two looks at what waits in the store: a request to list it each."""

_NOT_SET = f"{SETTING} says where from, such as s3://bucket/prefix: it is not set."

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
        return _exchange(ex, {}) if ex else 0


def bring_all_that_waits(settings: Settings) -> None:
    """Fetch everything that waits in the store now, however much it is; nothing without a store.

    Raises:
        StoreError, AnothersStoreError, ExchangeBusyError: not all of it has come.
    """
    with exchange(settings) as ex:
        if ex:
            settle(ex)
            fetch(ex, is_bounded=False)


def finish(settings: Settings) -> None:
    """See that the store has everything as it is here; nothing without a store.

    Raises:
        StoreError, AnothersStoreError, ExchangeBusyError: it has not.
    """
    with exchange(settings) as ex:
        if ex:
            settle(ex)
            replicate(ex)


def bring_everything(settings: Settings, progress: Progress | None = None) -> Brought:
    """Bring all that another loader has kept in the store here, and be its loader from now on.

    Raises:
        ReportedError: there is no store, or it does not answer; what has come stays.
    """
    with exchange(settings, takes_over=True) as ex:
        if ex is None:
            raise ReportedError(_NOT_SET)
        return everything.bring_everything(ex, progress)


def stay(settings: Settings, sleep: Callable[[float], object] = time.sleep) -> None:
    """Exchange until told to stop; a store that fails is waited for, and said once.

    Raises:
        ReportedError: there is no store, or it is another loader's.
    """
    if settings.landing_remote is None:
        raise ReportedError(_NOT_SET)
    rested: Rested = {}
    pause, problem = 0.0, None
    while True:
        try:
            with exchange(settings) as ex:
                fetched = _exchange(ex, rested) if ex else 0
        except (StoreError, OSError) as error:
            said = error.message if isinstance(error, StoreError) else str(error)
            if said != problem:
                log.warning("%s. What waits there is kept, and is fetched once it answers.", said)
                problem = said
            _note(settings, said)
            pause = min(LONGEST_PAUSE, max(1.0, pause * 2))
            sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - not all at the same moment
            continue
        if problem:
            log.warning("%s answers again.", settings.landing_remote)
        pause, problem = 0.0, None
        if fetched:
            log.info("Fetched %d files from %s", fetched, settings.landing_remote)
        else:
            sleep(LOOK_SECONDS)


def _exchange(ex: Exchange, rested: Rested) -> int:
    settle(ex)
    fetched = fetch(ex).files
    replicate(ex, rested)
    return fetched


def _note(settings: Settings, problem: str) -> None:
    with suppress(OSError):
        known = KnownObjects(settings.landing)
        known.note_problem(problem)
        known.close()
