"""How long the parts of a load took, from where they are measured to where they are reported.

They are told behind the models, by the same process, in a transaction that is made anyway
(orchestration/audit/load_reports.py): one of their own would cost each load more than they are
worth. Of a load whose process died before that, they are not known.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

MOST = 10_000
"""So many loads are remembered at most, where nobody asks for them."""


@dataclass
class Seconds:
    """Of one load, that is of one transaction."""

    read: float = 0.0
    """Files read, and each line proved; beside the load before, if there was one in the pass."""
    fields: float = 0.0
    """The fields of the events looked at."""
    insert: float = 0.0
    """Rows, rejects, counts and ledger written."""
    commit: float = 0.0
    """The files synced and the transaction committed."""
    shown_at: datetime | None = None
    """When its rows could be read in the final tables, where that is noted before it is counted."""
    models: dict[str, float] = field(default_factory=dict)
    """Models that have had it, and what each took, where that is noted likewise."""

    @contextmanager
    def looking_at_fields(self) -> Iterator[None]:
        """Add the time of a `with` block to that of the fields."""
        began = time.perf_counter()
        yield
        self.fields += time.perf_counter() - began


_known: dict[tuple[str, int], Seconds] = {}


def remember(place: str, load_id: int, seconds: Seconds) -> None:
    """Keep what a load took until it is asked for.

    Args:
        place: Where the warehouse's catalog is.
        load_id: The load.
        seconds: What it took.
    """
    _known[place, load_id] = seconds
    while len(_known) > MOST:
        del _known[next(iter(_known))]


def note_shown(
    place: str, load_ids: Iterable[int], at: datetime, models: Mapping[str, float]
) -> None:
    """Note of loads that are remembered when and by which models they were shown.

    Args:
        place: Where the warehouse's catalog is.
        load_ids: The loads.
        at: When the models were done.
        models: Those that went well, and what each took.
    """
    for load_id in load_ids:
        if known := _known.get((place, load_id)):
            known.shown_at = at
            known.models = dict(models)


def take(place: str) -> dict[int, Seconds]:
    """Return the loads of a warehouse that are remembered, and forget them."""
    return {load_id: _known.pop((of, load_id)) for of, load_id in list(_known) if of == place}
