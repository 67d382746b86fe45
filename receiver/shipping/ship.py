"""Shipping: a sealed file goes to the store, is proved there, and only then goes here.

A death at any point leaves it here, there, or in both: the next pass finds the same contents under
its name, and is done with it.
"""

import re
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import structlog

from landed.aside import put_aside
from landed.files import FOLDER_MODE, write_whole
from landed.folders import (
    FOLDERS,
    NOT_STORED,
    REMOTE,
    SUPPRESSED,
    SUPPRESSED_KEY,
    SUPPRESSED_LIST,
)
from landed.object_store import A_TIMES_BYTES, WAITING, Store, StoreError, TakenError
from receiver.files.disk import FileState, state_of

AT_ONCE = 4
"""Files that are on their way at the same time: each is in memory meanwhile."""

_FOLDERS_FILES = 1_000
"""So many of a folder go before the next one has its turn."""

_TRY_AGAIN_SECONDS = 60.0
"""What cannot be read here, or is not taken there, is tried again after so long; all others go
meanwhile."""

log = structlog.get_logger()


class SealedFiles:
    """The sealed files of a landing folder, which go to a store."""

    def __init__(self, landing: Path, store: Store) -> None:
        """Begin with none shipped."""
        self._landing = landing
        self._store = store
        self._left_out: dict[Path, float] = {}
        self._refusals: Counter[Path] = Counter()

    def ship(self) -> int:
        """Ship those of every folder, the oldest first in each; return how many went.

        A file that the store does not take, while it takes others, is left out for a while.

        Raises:
            StoreError: the store does not take any now; those that it has not taken are still
                here, and come behind all others next time.
        """
        shipped = 0
        refused: dict[Path, StoreError] = {}
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for folder in FOLDERS:
                files = islice(self._sealed(folder), _FOLDERS_FILES)
                # a few at a time: of a store that does not answer no more is asked
                for some in in_groups(files):
                    done = dict(zip(some, threads.map(self._ship, some), strict=True))
                    went = sum(one is True for one in done.values())
                    failed = {p: one for p, one in done.items() if isinstance(one, StoreError)}
                    shipped += went
                    if went:
                        self._leave_out(refused | failed)
                        refused = {}
                        continue
                    refused |= failed
                    if len(refused) >= AT_ONCE:
                        raise self._let_be_last(refused)
        if refused and not shipped:
            raise self._let_be_last(refused)
        self._leave_out(refused)
        return shipped

    def _sealed(self, folder: str) -> Iterator[Path]:
        if not self._may_be_tried(self._landing / folder):
            return
        try:
            paths = list((self._landing / folder).glob("*.ndjson"))
        except OSError as error:
            self._cannot_be_read(self._landing / folder, error)
            return
        for path in sorted(paths, key=lambda path: (self._refusals[path], path)):
            if self._may_be_tried(path):
                yield path

    def _may_be_tried(self, path: Path) -> bool:
        return time.monotonic() >= self._left_out.get(path, 0.0)

    def _cannot_be_read(self, path: Path, error: OSError) -> None:
        self._left_out[path] = time.monotonic() + _TRY_AGAIN_SECONDS
        log.warning("not_shipped", problem=f"{path}: {error.strerror}; it is tried again")

    def _leave_out(self, refused: dict[Path, StoreError]) -> None:
        for path, error in refused.items():
            self._left_out[path] = time.monotonic() + _TRY_AGAIN_SECONDS
            log.warning("not_shipped", problem=f"{path}: {error.message}; it is tried again")

    def _let_be_last(self, refused: dict[Path, StoreError]) -> StoreError:
        """Put files behind all others, as it may be them and not the store."""
        self._refusals.update(refused.keys())
        return next(iter(refused.values()))

    def _ship(self, path: Path) -> bool | StoreError:
        """Ship a file; return whether it went, or why the store has not taken it."""
        try:
            return self._put(path)
        except FileNotFoundError:
            return False  # somebody has taken it away since it was listed
        except OSError as error:
            self._cannot_be_read(path, error)
            return False

    def _put(self, path: Path) -> bool | StoreError:
        try:
            with path.open("rb") as file:
                self._store.put_new(f"{WAITING}/{path.parent.name}/{path.name}", file)
        except TakenError as taken:
            aside = put_aside(path)
            log.error(  # noqa: TRY400 - no traceback says more
                "not_shipped", problem=f"{taken.message}: {path} is kept as {aside.name}"
            )
            return False
        except StoreError as error:
            return error
        path.unlink()
        self._refusals.pop(path, None)
        return True


def in_groups(files: Iterable[Path]) -> Iterator[list[Path]]:
    """Files that go at the same time: large ones alone, as they share what there is of a line."""
    some: list[Path] = []
    size = 0
    for path in files:
        try:
            bytes_of_it = path.stat().st_size
        except FileNotFoundError:
            continue
        except OSError:  # whoever opens it says so
            bytes_of_it = 0
        if some and (len(some) >= AT_ONCE or size + bytes_of_it > A_TIMES_BYTES):
            yield some
            some, size = [], 0
        some.append(path)
        size += bytes_of_it
    if some:
        yield some


class Counts:
    """The counts of what was not stored: each receiver has its own files of them there."""

    def __init__(self, landing: Path, store: Store) -> None:
        """Begin with none shipped."""
        self._landing = landing
        self._store = store
        self._shipped: dict[Path, FileState] = {}

    def ship(self) -> None:
        """Ship those that have changed.

        Raises:
            StoreError: the store does not take them now.
        """
        for path in sorted((self._landing / NOT_STORED).glob("*.json")):
            state = state_of(path)
            if self._shipped.get(path) != state:
                with path.open("rb") as file:
                    self._store.put(
                        f"{NOT_STORED}/{receiver_name(self._landing)}/{path.name}", file
                    )
                self._shipped[path] = state


class Suppression:
    """Who is suppressed: the loader's list is brought here, where the receiver looks for it."""

    def __init__(self, landing: Path, store: Store) -> None:
        """Begin with none brought."""
        self._folder = landing / SUPPRESSED
        self._store = store
        self._brought: str | None = None

    def bring(self) -> None:
        """Bring the list if it has changed, and before it the key that it is made with.

        Raises:
            StoreError: it is not to be had now.
        """
        found = self._store.look(f"{SUPPRESSED}/{SUPPRESSED_LIST}")
        if found is None or found.sha256 == self._brought:
            return
        self._folder.mkdir(FOLDER_MODE, exist_ok=True)
        try:
            for name in (SUPPRESSED_KEY, SUPPRESSED_LIST):
                write_whole(self._folder / name, self._store.read(f"{SUPPRESSED}/{name}"))
        except FileNotFoundError:  # not both of them yet
            return
        self._brought = found.sha256


def receiver_name(landing: Path) -> str:
    """The name of this landing folder among those that ship to one store, chosen once."""
    path = landing / REMOTE / "receiver"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        host = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())[:63]
        write_whole(path, f"{host}-{secrets.token_hex(4)}\n".encode())
        return receiver_name(landing)


def pauses(longest: float) -> Iterator[float]:
    """Seconds to wait after one failure, two, …: twice as long each time, up to the longest."""
    pause = 1.0
    while True:
        # not all at the same moment, when the store is back
        yield pause * (0.5 + secrets.randbelow(1000) / 2000)
        pause = min(longest, pause * 2)
