"""What receivers on other machines have counted of events that they did not store."""

import re
import time

from landed.files import LONGEST_NAME, write_whole
from landed.folders import NOT_STORED
from landed.object_store import DamagedObjectError, StoreError
from orchestration.durable_files import make_folder
from orchestration.remote.exchange import Exchange

RESTING_SECONDS = 60.0
"""What was put later is brought again: stores count in seconds, and by a clock of their own."""

MOST_BYTES = 1 << 20
"""So large the counts of a day are at most, those of a thousand sources: the rest stays there."""

_KEY = re.compile(
    rf"{NOT_STORED}/(?=[^/]{{1,{LONGEST_NAME}}}/)[A-Za-z0-9][A-Za-z0-9._-]*/"
    r"\d{4}-\d\d-\d\d\.json"
)


def bring_counts(ex: Exchange) -> None:
    """Bring the counts that have changed since they were brought.

    Args:
        ex: What with.

    Raises:
        StoreError: the store does not answer, or does not give some of them; all others are here.
    """
    refused: list[StoreError] = []
    brought = ex.known.counted()
    for one in ex.store.list(NOT_STORED):
        path = ex.landing / one.key
        is_known = brought.get(one.key) == one.changed.timestamp() and path.exists()
        if is_known or one.size > MOST_BYTES or not _KEY.fullmatch(one.key):
            continue
        try:
            data = ex.store.read(one.key)
        except (FileNotFoundError, DamagedObjectError):  # just being put anew
            continue
        except StoreError as error:
            if not error.is_lasting:
                raise
            refused.append(error)
            continue
        make_folder(path.parent)
        write_whole(path, data)
        if time.time() - one.changed.timestamp() > RESTING_SECONDS:
            ex.known.note_counted(one.key, one.changed.timestamp())
    if refused:
        raise refused[0]
