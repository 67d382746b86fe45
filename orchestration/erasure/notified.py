"""Whom Segment's `delete` notifications name: who may go now, who waits, and what is refused.

A notification goes with whoever it names, so what is in `raw.delete` is what is still to be done.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from landed.ids import is_blank, text_of, visible, written_ids
from orchestration.loading import suppressed
from orchestration.loading.people import USER, Id, Person, hash_of
from orchestration.loading.suppressed import NOTIFICATION, Order

SHORTEST = 3
"""Characters of an id that a notification may name; `make forget` takes any."""


@dataclass
class Named:
    """Whom notifications name."""

    now: dict[Id, Order] = field(default_factory=dict)
    """Who may be erased now, and by whose order."""
    waiting: int = 0
    """How many wait, as their source has had as many erased in this hour as it may."""
    refused: Counter[str] = field(default_factory=Counter)
    """Why ids are not erased → how many."""


def named(
    con: duckdb.DuckDBPyConnection, landing: Path, ceiling: int | None, now: datetime
) -> Named:
    """Look at all notifications that are there.

    Args:
        con: The warehouse.
        landing: The landing folder, where it is written down who was erased in this hour.
        ceiling: How many people a source may have erased in an hour; any number if None.
        now: The time.
    """
    found = Named()
    left: dict[str | None, int] = {}
    refused: dict[str, str] = {}
    begun = suppressed.begun_in_hour(landing, now) if ceiling is not None else Counter()
    to_be_done = {entry.person for entry in suppressed.to_be_done(landing)}
    key = suppressed.key_of(landing)
    waiting: set[str] = set()
    for text, order in sorted(_orders(con), key=lambda one: (one[1].ordered_at, one[0])):
        one = Id(USER, text)
        if reason := reason_to_refuse(text):
            refused[text] = reason
        if reason or one in found.now:
            continue
        source = order.source
        if ceiling is not None and Person(USER, hash_of(key, one)) not in to_be_done:
            if left.setdefault(source, ceiling - begun[source]) <= 0:
                waiting.add(text)
                continue
            left[source] -= 1
        found.now[one] = order
    found.waiting = len(waiting - {one.text for one in found.now})
    found.refused = Counter(refused.values())
    return found


def _orders(con: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, Order]]:
    """Each id that a notification names, and each source's first order for it."""
    rows = con.execute(
        """
        select
            json_type(payload, '$.userId') = 'DOUBLE' as is_fraction,
            -- of a fraction DuckDB's text is not the one that was sent
            if(is_fraction, payload::varchar, payload ->> '$.userId') as named,
            source, min(received_at), arg_min(credential, received_at)
        from raw.delete
        where json_type(payload, '$.userId') not in ('OBJECT', 'ARRAY', 'NULL', 'BOOLEAN')
        group by all
        """
    )
    for is_fraction, text, *sent in iter(rows.fetchone, None):
        as_sent = text_of(written_ids(text.encode())["userId"]) if is_fraction else text
        yield as_sent, Order(NOTIFICATION, *sent)


def reason_to_refuse(text: str) -> str | None:
    """Why an id may not be erased by a notification, in one word; None if it may."""
    if is_blank(text):
        return "blank"
    return "too_short" if len(visible(text)) < SHORTEST else None
