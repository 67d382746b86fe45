"""`seamline ship`: ships what is sealed as long as it runs; a store that fails is waited for."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from landed.files import FILE_MODE, lock
from landed.folders import REMOTE
from landed.object_store import SETTING, Store, StoreError
from receiver.errors import StartError
from receiver.files.disk import make_folder, prepare_landing
from receiver.server.logs import configure_logs
from receiver.settings import Settings
from receiver.shipping.ship import Counts, SealedFiles, Suppression, pauses

LOOK_SECONDS = 0.5
"""Between two looks for sealed files."""

ASIDE_SECONDS = 10.0
"""Between two looks at counts, and at the list of who is suppressed."""

LONGEST_PAUSE = 60.0
"""A store that fails is asked again after so long at most."""

log = structlog.get_logger()


def ship(settings: Settings, *, once: bool = False) -> None:
    """Ship until told to stop, or once.

    Raises:
        StartError: there is nothing to ship to, or another process has this landing folder.
        StoreError: with `once`, or at the start: what can never work.
    """
    if settings.landing_remote is None:
        raise StartError(f"{SETTING} says where to, such as s3://bucket/prefix: it is not set.")
    os.umask(0o077)
    configure_logs()
    prepare_landing(settings.landing)
    make_folder(settings.landing / REMOTE)
    descriptor = _be_the_only_one(settings.landing)
    try:
        store = Store(settings.landing_remote)
        _refuse_what_can_never_work(store)
        Shipping(settings.landing, store).run(once=once)
    finally:
        os.close(descriptor)


class Shipping:
    """Passes over a landing folder, one after the other."""

    def __init__(
        self, landing: Path, store: Store, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        """Begin with nothing done."""
        self._sleep = sleep
        self._sealed = SealedFiles(landing, store)
        self._counts = Counts(landing, store)
        self._suppression = Suppression(landing, store)
        self._asides = [
            _Aside("counts", self._counts.ship),
            _Aside("suppressed", self._suppression.bring),
        ]

    def run(self, *, once: bool) -> None:
        """Pass after pass; a store that fails is waited for, and said once."""
        if once:
            self._ship()
            try:
                self._counts.ship()
            finally:  # who is suppressed does not wait for what was counted
                self._suppression.bring()
            return
        waits = pauses(LONGEST_PAUSE)
        problem: str | None = None
        while True:
            try:
                did_anything = self._ship()
            except StoreError as error:
                if error.message != problem:
                    problem = error.message
                    log.warning(
                        "store_fails", problem=problem, kept="all of it, in the landing folder"
                    )
                self._sleep(next(waits))
                continue
            except OSError as error:  # the landing folder's own disk
                log.warning("not_shipped", problem=f"{error.filename}: {error.strerror}")
                self._sleep(next(waits))
                continue
            if problem:
                log.info("store_is_back")
                problem, waits = None, pauses(LONGEST_PAUSE)
            for aside in self._asides:
                aside.do_if_due()
            if not did_anything:
                self._sleep(LOOK_SECONDS)

    def _ship(self) -> bool:
        """Ship what is sealed; return whether there was any."""
        shipped = self._sealed.ship()
        if shipped:
            log.info("shipped", files=shipped)
        return bool(shipped)


class _Aside:
    """What is done now and then beside the events, and holds none of them up where it fails."""

    def __init__(self, what: str, work: Callable[[], object]) -> None:
        """Begin with it due.

        Args:
            what: what the log calls it.
            work: does it.
        """
        self._what = what
        self._work = work
        self._due = float("-inf")
        self._problem: str | None = None
        self._waits = pauses(LONGEST_PAUSE)

    def do_if_due(self) -> None:
        """Do it, if it is time; a problem is said once, and tried again ever later."""
        if time.monotonic() < self._due:
            return
        try:
            self._work()
        except (StoreError, OSError) as error:
            problem = str(error)
            if problem != self._problem:
                log.warning("not_exchanged", what=self._what, problem=problem)
            self._problem = problem
            wait = max(ASIDE_SECONDS, next(self._waits))
        else:
            self._problem, self._waits = None, pauses(LONGEST_PAUSE)
            wait = ASIDE_SECONDS
        self._due = time.monotonic() + wait


def _refuse_what_can_never_work(store: Store) -> None:
    try:
        store.check()
    except StoreError as error:
        if error.is_lasting:
            raise


def _be_the_only_one(landing: Path) -> int:
    """Take the lock of whoever ships from a landing folder; return its descriptor.

    Raises:
        StartError: another has it, or a loader takes its files from this folder itself.
    """
    if (landing / "loads").exists() or (landing / REMOTE / "loader").exists():
        raise StartError(
            f"{landing} is a loader's landing folder: its files are loaded here, and kept in the "
            "store by the loader itself. `seamline ship` is for machines that only receive."
        )
    path = landing / REMOTE / ".shipping"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    if not lock(descriptor):
        with suppress(OSError):
            os.close(descriptor)
        raise StartError(f"Another `seamline ship` is at work in {landing}.")
    return descriptor
