"""What receivers on other machines have counted of events that they did not store."""

import logging
import re
import time

from landed.files import LONGEST_NAME, write_whole
from landed.folders import NOT_STORED
from landed.object_store import DamagedObjectError, StoreError
from orchestration.durable_files import make_folder
from orchestration.remote.exchange import Exchange

log = logging.getLogger(__name__)

RESTING_SECONDS = 60.0
"""What was put later is brought again: stores count in seconds, and by a clock of their own."""

MOST_BYTES = 1 << 20
"""So large the counts of a day are at most, those of a thousand sources: larger ones stay there."""

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
    named = [one for one in ex.store.list(NOT_STORED) if _KEY.fullmatch(one.key)]
    _leave(ex, {one.key: one.size for one in named if one.size > MOST_BYTES})
    for one in named:
        path = ex.landing / one.key
        is_known = brought.get(one.key) == one.changed.timestamp() and path.exists()
        if is_known or one.size > MOST_BYTES:
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


def _leave(ex: Exchange, too_large: dict[str, int]) -> None:
    """Say once of counts that they are too large, and remember it: the checks say it too."""
    for key in too_large.keys() - ex.known.left_out():
        log.error(
            "%s has %s bytes, more than counts have, and is left out: what its receiver has not "
            "stored is missing in all that counts it. Look what it is.",
            key,
            f"{too_large[key]:,}",
        )
    ex.known.note_left_out(too_large.keys())
