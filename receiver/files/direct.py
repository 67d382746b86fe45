"""Landing without a disk of one's own: each group of lines is put into the object store at once.

The answer comes once the store has confirmed it. An object is what a sealed file is elsewhere, and
waits where shipped ones do.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from landed.buckets import Patience
from landed.object_store import SETTING, WAITING, Store, StoreError
from receiver.errors import StartError
from receiver.files.landed_file import LandedFile, file_names
from receiver.files.open_files import Problem
from receiver.settings import Settings


class DirectObjects:
    """Puts groups of lines, each as one object for each folder; nothing is ever open.

    Not all or nothing: if one of a group's objects cannot be put, the whole group is refused and
    sent again, and of what was put there is a copy, which the models fold into one row.
    """

    def __init__(self, address: str, commit_seconds: float) -> None:
        """Open the store; in the process that commits, as a fork takes no threads along."""
        self._store = Store(address, Patience(commit_seconds, 1, commit_seconds / 2))
        self._names = file_names()

    def commit(self, lines: Mapping[str, Sequence[bytes]]) -> Problem | None:
        """Return None once the store has confirmed all lines, else why it has not.

        It runs in a native thread: it takes no lock, and does not log.
        """
        for folder, of_folder in lines.items():
            key = f"{WAITING}/{folder}/{next(self._names)}.ndjson"
            try:
                self._store.put_new(key, b"".join(of_folder), is_proved=False)
            except StoreError as error:
                return Problem("store_fails", said=error.message)
        return None

    def next_due(self) -> float | None:
        """Say that nothing has to be sealed."""
        return None

    def due(self) -> list[LandedFile]:
        """Say that nothing has to be sealed."""
        return []

    def all(self) -> list[LandedFile]:
        """Say that nothing is open."""
        return []

    def seal(self, files: Iterable[LandedFile]) -> list[str]:
        """Seal nothing."""
        return [f"{file.path.name} is not ours" for file in files]


def refuse_unusable_store(settings: Settings) -> None:
    """Refuse to start with a store that can never be used, before any worker is there.

    Raises:
        StartError: there is no address, no such bucket, or the keys are of no use.
    """
    if settings.landing_remote is None:
        raise StartError(
            f"SEAMLINE_LANDING_DIRECT lands events in an object store, and {SETTING}, which says "
            "in which, is not set."
        )
    # in a process of its own: the client's threads would be missing after the fork of a worker
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        problem = process.submit(_what_lasts, settings.landing_remote).result()
    if problem:
        raise StartError(problem)


def _what_lasts(address: str) -> str | None:
    try:
        Store(address, Patience(5, 0, 5)).check()
    except StoreError as error:
        return error.message if error.is_lasting else None
    return None
