"""Shipping: a sealed file goes to the store, is proved there, and only then goes here.

A death at any point leaves it here, there, or in both: the next pass finds the same contents under
its name, and is done with it.
"""

import re
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

import structlog

from landed.files import FOLDER_MODE, write_whole
from landed.folders import (
    FOLDERS,
    NOT_STORED,
    REMOTE,
    SUPPRESSED,
    SUPPRESSED_KEY,
    SUPPRESSED_LIST,
)
from landed.object_store import WAITING, Store, TakenError
from receiver.files.disk import FileState, state_of

AT_ONCE = 4
"""Files that are on their way at the same time: each is in memory meanwhile."""

_FOLDERS_FILES = 1_000
"""So many of a folder go before the next one has its turn."""

_TRY_AGAIN_SECONDS = 60.0
"""What cannot be read here is tried again after so long; all others go meanwhile."""

log = structlog.get_logger()


class SealedFiles:
    """The sealed files of a landing folder, which go to a store."""

    def __init__(self, landing: Path, store: Store) -> None:
        """Begin with none shipped."""
        self._landing = landing
        self._store = store
        self._left_out: dict[Path, float] = {}

    def ship(self) -> int:
        """Ship those of every folder, the oldest first in each; return how many went.

        Raises:
            StoreError: the store does not take them now; those that it has not taken are still
                here.
        """
        shipped = 0
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for folder in FOLDERS:
                files = islice(self._sealed(folder), _FOLDERS_FILES)
                # a few at a time: of a store that does not answer no more is asked
                while some := list(islice(files, AT_ONCE)):
                    shipped += sum(threads.map(partial(self._ship, folder), some))
        return shipped

    def _sealed(self, folder: str) -> Iterator[Path]:
        for path in sorted((self._landing / folder).glob("*.ndjson")):
            if time.monotonic() >= self._left_out.get(path, 0.0):
                yield path

    def _ship(self, folder: str, path: Path) -> bool:
        """Ship a file; return whether it went."""
        try:
            with path.open("rb") as file:
                self._store.put_new(f"{WAITING}/{folder}/{path.name}", file)
            path.unlink()
        except TakenError as taken:
            aside = path.with_suffix(".ndjson.conflict")
            path.rename(aside)
            log.error(  # noqa: TRY400 - no traceback says more
                "not_shipped", problem=f"{taken.message}: {path} is kept as {aside.name}"
            )
            return False
        except FileNotFoundError:
            return False  # somebody has taken it away since it was listed
        except OSError as error:
            self._left_out[path] = time.monotonic() + _TRY_AGAIN_SECONDS
            log.warning("not_shipped", problem=f"{path}: {error.strerror}; it is tried again")
            return False
        return True


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
