"""Intake: from a request's events to lines on the disk."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Raw

from landed.folders import CALLS, REJECTED
from receiver.errors import NotLandedError
from receiver.events.batches import Batch, refuse_oversized
from receiver.events.check import Event, EventCheck, NotStored, Record, Rejected
from receiver.events.direct import DirectSender
from receiver.events.kept import without_keys
from receiver.events.made_up_ids import OfRequest, OfView
from receiver.files.envelope import good_line, received_stamps, rejected_line
from receiver.files.lines import Lines
from receiver.http.refused_time import IfRefused
from receiver.senders.scopes import LANDED_AS
from receiver.senders.sources import Credential
from receiver.server.native_threads import let_others_run, work_seconds
from receiver.state import (
    charge_to,
    charged_seconds,
    current_handling,
    current_receiver,
    note_damage,
    uncharged_seconds,
)

_TURN_BYTES = 256 << 10  # about a millisecond of work
_EVENT_BYTES = 2500  # so many cost as much time as what an event costs beside its bytes
_TOGETHER = 16  # events that are checked at once, and bytes
_TOGETHER_BYTES = 128 << 10
_GROWTH = 8  # times a request's limit: what a batch says of all its events lands with each of them


def let_in(credential: Credential) -> None:
    """Return if somebody may send now with a credential.

    Raises:
        ThrottledError: what it may cost, or a quota, is used up.
    """
    current_receiver().damage.must_have_left(credential.account)
    current_handling().log["source"] = credential.source.name
    charge_to(credential.account)
    _must_have_left(credential)


def _must_have_left(credential: Credential) -> None:
    receiver = current_receiver()
    receiver.quotas.must_have_left(credential, is_alone=len(receiver.sources.names()) == 1)


def land(
    credential: Credential,
    read_events: Callable[[], Batch | str],
    body: bytes,
    path_call: str | None = None,
    direct: DirectSender | None = None,
    *,
    is_view: bool = False,
) -> None:
    """Return when all of a request that is for us is on the disk, good or rejected.

    Args:
        credential: what its sender proved itself with.
        read_events: cuts the body into its events, or says why it cannot be.
        body: the body, which then lands whole.
        path_call: the call the request's path names.
        direct: the SDK they came from, if they did not come by way of Segment.
        is_view: whether the request shows an image, and so is never sent again.

    Raises:
        NotLandedError, ThrottledError: it has to be sent again.
        RequestRefusedError: it is too large for one request.
    """
    # A request that is too much is charged to its sender; what has to be sent again is not.
    with IfRefused(note_damage, uncharged_seconds):
        _land_all(credential, read_events, body, path_call, direct, is_view=is_view)


def _land_all(
    credential: Credential,
    read_events: Callable[[], Batch | str],
    body: bytes,
    path_call: str | None,
    direct: DirectSender | None,
    *,
    is_view: bool,
) -> None:
    started = uncharged_seconds()
    events = read_events()
    receiver = current_receiver()
    source = credential.source
    limits, suppressed = receiver.limits(credential), receiver.suppression.current()
    _must_have_left(credential)  # once more: others of its requests may have come first
    if isinstance(events, str):
        receiver.quotas.take_events(credential, 1)
        is_theirs = suppressed and suppressed.is_in(body)
        one = NotStored.SUPPRESSED if is_theirs else Rejected(events, body, path_call)
        note_damage(uncharged_seconds() - started)
        _land(credential, [[one]])
        return
    settings = receiver.settings
    limit = min(settings.body_bytes, _GROWTH * receiver.body_limit(credential))
    sent = current_handling().size or len(body)  # what a body unpacked to is growth itself
    growth = max(credential.scope.unmeasured_bytes, settings.expansion_ratio * sent)
    refuse_oversized(events, settings.batch_events, limit, growth)
    receiver.quotas.take_events(credential, len(events.items))
    shared = events.shared
    address = direct.address if direct else None
    ids = OfView() if is_view else OfRequest(source.name, address, time.time(), shared.sent_at)
    check = EventCheck(shared, path_call, limits, direct, suppressed, ids)
    together = _in_turns(events.items, shared.size)
    _land(credential, (records for items in together for records in check.some(items)), ids)


def _in_turns(items: Sequence[bytes | Raw], shared_bytes: int) -> Iterator[Sequence[bytes | Raw]]:
    """Yield events, some at a time, and let others run now and then, whatever becomes of them."""
    turn = start = size = 0
    for at, item in enumerate(items):
        cost = len(item) + shared_bytes + _EVENT_BYTES
        if at - start == _TOGETHER or size + cost > _TOGETHER_BYTES:
            if at > start:
                yield items[start:at]
            start, size = at, 0
            if turn + cost > _TURN_BYTES:
                let_others_run()
                turn = 0
        size += cost
        turn += cost
    if start < len(items):
        yield items[start:]


def _land(
    credential: Credential,
    checked: Iterable[Sequence[Record]],
    ids: OfRequest | OfView | None = None,
) -> None:
    source, sent_by = credential.source, LANDED_AS[credential.kind]
    by_folder: dict[str, list[bytes]] = defaultdict(list)
    others: dict[str, int] = dict.fromkeys(NotStored, 0)
    reasons: dict[str, int] = defaultdict(int)
    stamps = received_stamps(time.time_ns() // 1000)
    on_damaged, charged = 0.0, charged_seconds()
    started = work_seconds()
    for records in checked:
        spoilt = 0
        for one in records:
            if isinstance(one, Event):
                call, message_id, sent_at, payload = one
                received_at = next(stamps)
                line = good_line(message_id, received_at, sent_at, source.name, payload, sent_by)
                by_folder[call].append(line)
            elif isinstance(one, Rejected):
                spoilt += 1
                reasons[one.reason] += 1
                kept = without_keys(one.body, credential)
                received_at = next(stamps)
                line = rejected_line(received_at, source.name, one.call, one.reason, kept, sent_by)
                by_folder[REJECTED].append(line)
            else:
                spoilt += one is NotStored.SUPPRESSED
                others[one] += 1
        now = work_seconds()
        on_damaged += (now - started) * spoilt / len(records)
        started = now
    lines = Lines()
    for folder, of_folder in by_folder.items():
        lines.add_all(folder, of_folder)
    note_damage(on_damaged - (charged_seconds() - charged))
    handling = current_handling()
    handling.log |= {
        "source": source.name,
        "credential": str(credential.kind),
        "events": lines.events,
        "rejected": sum(reasons.values()),
        "shut_out": others[NotStored.SHUT_OUT],
        "suppressed": others[NotStored.SUPPRESSED],
    }
    receiver = handling.receiver
    receiver.quotas.take_bytes(credential, lines.size)
    try:
        receiver.committer.land(lines)
    except NotLandedError:
        receiver.quotas.take_bytes(credential, -lines.size)
        raise
    for reason in NotStored:
        receiver.not_stored.note(source.name, reason, others[reason])
    by_call = {call: len(of_call) for call, of_call in lines.by_folder.items() if call in CALLS}
    others["made_up_ids"] = ids.made if ids else 0
    receiver.metrics.note_landed(source.name, by_call, reasons, others)
    receiver.metrics.note_credential(source.name, credential.kind)
