"""Records: what a line holds, checked as the receiver checks what it is sent."""

from collections.abc import Iterator

from receiver.errors import RequestRefusedError
from receiver.events.batches import Batch, batch_of, refuse_oversized
from receiver.events.check import Limits, Record, Rejected, check_event
from receiver.events.json_text import WHITESPACE
from receiver.events.made_up_ids import ByContent
from receiver.events.shared_fields import NOTHING_SHARED
from receiver.events.suppression import SuppressedPeople
from receiver.importing.reading import Line

MOST_EVENTS = 1_000_000
"""So many events may stand in one line."""


def records_of(
    line: Line,
    limits: Limits,
    most_bytes: int,
    suppressed: SuppressedPeople | None,
    ids: ByContent,
) -> Iterator[Record]:
    """Check what a line holds: an event, an array of them, `{"batch": [...]}`, or nothing.

    Args:
        line: the line.
        limits: what an event may measure.
        most_bytes: what a line's events may measure once each has what its batch shares.
        suppressed: whose events are not stored, if anybody's.
        ids: makes up the ids of events that have none.
    """
    text = line.data.strip(WHITESPACE)
    if not text:
        return
    if suppressed and line.is_too_long and suppressed.is_in(line.data):
        return
    if line.is_too_long:
        yield Rejected("too_big", line.data)
        return
    try:
        batch = batch_of(text, limits, MOST_EVENTS)
        if isinstance(batch, Batch):
            refuse_oversized(batch, MOST_EVENTS, most_bytes)
    except RequestRefusedError as refused:
        batch = refused.code
    if batch is None:
        yield check_event(text, NOTHING_SHARED, None, limits, None, suppressed, ids)
    elif isinstance(batch, str):
        if not (suppressed and suppressed.is_in(text)):
            yield Rejected(batch, text)
    else:
        for item in batch.items:
            yield check_event(bytes(item), batch.shared, None, limits, None, suppressed, ids)
