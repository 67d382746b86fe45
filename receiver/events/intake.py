"""Intake: from a request's events to lines on the disk."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from flask import g
from msgspec import Raw

from landed.folders import CALLS, REJECTED
from receiver.errors import NotLandedError, RequestRefusedError, ThrottledError
from receiver.events.batches import Batch, refuse_oversized
from receiver.events.check import Event, NotStored, Record, Rejected, check_event
from receiver.events.direct import DirectSender
from receiver.events.kept import without_keys
from receiver.events.made_up_ids import OfRequest, OfView
from receiver.files.envelope import good_line, received_stamps, rejected_line
from receiver.files.lines import Lines
from receiver.senders.scopes import LANDED_AS
from receiver.senders.sources import Credential
from receiver.server.native_threads import let_others_run, work_seconds
from receiver.state import (
    charge_to,
    charged_seconds,
    current_receiver,
    note_damage,
    uncharged_seconds,
)

_TURN_BYTES = 256 << 10  # about a millisecond of work
_EVENT_BYTES = 2500  # so many cost as much time as what an event costs beside its bytes
_GROWTH = 8  # times a request's limit: what a batch says of all its events lands with each of them


def let_in(credential: Credential) -> None:
    """Return if somebody may send now with a credential.

    Raises:
        ThrottledError: what it may cost, or a quota, is used up.
    """
    current_receiver().damage.must_have_left(credential.account)
    g.source = credential.source.name
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
    with _refusal_charged():
        _land_all(credential, read_events, body, path_call, direct, is_view=is_view)


@contextmanager
def _refusal_charged() -> Iterator[None]:
    """Charge a request that is too much to its sender; what has to be sent again is not."""
    started = uncharged_seconds()
    try:
        yield
    except (NotLandedError, ThrottledError):
        raise
    except RequestRefusedError:
        note_damage(uncharged_seconds() - started)
        raise


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
        _land(credential, [one])
        return
    settings = receiver.settings
    limit = min(settings.body_bytes, _GROWTH * receiver.body_limit(credential))
    sent = g.get("bytes", len(body))  # what a body unpacked to is growth itself
    growth = max(credential.scope.unmeasured_bytes, settings.expansion_ratio * sent)
    refuse_oversized(events, settings.batch_events, limit, growth)
    receiver.quotas.take_events(credential, len(events.items))
    shared = events.shared
    address = direct.address if direct else None
    ids = OfView() if is_view else OfRequest(source.name, address, time.time(), shared.sent_at)
    _land(
        credential,
        (
            check_event(item, shared, path_call, limits, direct, suppressed, ids)
            for item in _in_turns(events.items, shared.size)
        ),
        ids,
    )


def _in_turns(items: Iterable[bytes | Raw], shared_bytes: int) -> Iterator[bytes]:
    """Yield events, and let other requests run now and then, whatever becomes of the events."""
    turn = 0
    for item in items:
        event = bytes(item)
        turn += len(event) + shared_bytes + _EVENT_BYTES
        if turn > _TURN_BYTES:
            let_others_run()
            turn = 0
        yield event


def _land(
    credential: Credential,
    checked: Iterable[Record],
    ids: OfRequest | OfView | None = None,
) -> None:
    source, sent_by = credential.source, LANDED_AS[credential.kind]
    lines = Lines()
    others: dict[str, int] = dict.fromkeys(NotStored, 0)
    reasons: dict[str, int] = defaultdict(int)
    stamps = received_stamps(time.time_ns() // 1000)
    on_damaged, charged = 0.0, charged_seconds()
    started = work_seconds()
    for one, received_at in zip(checked, stamps, strict=False):
        if isinstance(one, Event):
            call, message_id, sent_at, payload = one
            line = good_line(message_id, received_at, sent_at, source.name, payload, sent_by)
            lines.add(call, line)
        elif isinstance(one, Rejected):
            reasons[one.reason] += 1
            kept = without_keys(one.body, credential)
            line = rejected_line(received_at, source.name, one.call, one.reason, kept, sent_by)
            lines.add(REJECTED, line)
        else:
            others[one] += 1
        now = work_seconds()
        if isinstance(one, Rejected) or one is NotStored.SUPPRESSED:
            on_damaged += now - started
        started = now
    note_damage(on_damaged - (charged_seconds() - charged))
    g.credential = str(credential.kind)
    g.source, g.events, g.rejected = source.name, lines.events, sum(reasons.values())
    g.shut_out, g.suppressed = others[NotStored.SHUT_OUT], others[NotStored.SUPPRESSED]
    receiver = current_receiver()
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
