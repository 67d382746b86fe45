"""What receivers on other machines have counted of events that they did not store."""

import re
from datetime import datetime

from landed.files import write_whole
from landed.folders import NOT_STORED
from landed.object_store import DamagedObjectError
from orchestration.durable_files import make_folder
from orchestration.remote.exchange import Exchange

_KEY = re.compile(rf"{NOT_STORED}/[A-Za-z0-9][A-Za-z0-9._-]*/\d{{4}}-\d\d-\d\d\.json")

Brought = dict[str, datetime]
"""Object → when it was put, of those that were brought by this process."""


def bring_counts(ex: Exchange, brought: Brought) -> None:
    """Bring the counts that have changed.

    Args:
        ex: What with.
        brought: What earlier calls have brought; this one adds to it.

    Raises:
        StoreError: the store does not answer.
    """
    for one in ex.store.list(NOT_STORED):
        if not _KEY.fullmatch(one.key) or brought.get(one.key) == one.changed:
            continue
        path = ex.landing / one.key
        try:
            data = ex.store.read(one.key)
        except (FileNotFoundError, DamagedObjectError):  # just being put anew
            continue
        make_folder(path.parent)
        write_whole(path, data)
        brought[one.key] = one.changed
