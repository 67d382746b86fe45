"""Who was erased and sends again is answered 200, and nothing of it is stored."""

import json
import os
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from orchestration.erasure.erase import forget
from orchestration.loading import suppressed
from orchestration.loading.load import load
from orchestration.loading.people import ANONYMOUS, USER, Id
from orchestration.loading.suppressed import DamagedListError, allow_again
from receiver.errors import NotLandedError, StartError
from receiver.events import suppression
from receiver.events.suppression import LiveSuppression
from tests.support import landed
from tests.support.house import House
from tests.support.person import found_in
from tests.support.processes import eventually
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver

ANNA = "anna-41c7"
DEVICE = "device-of-anna-9d2b"
WHO = {Id(USER, ANNA), Id(ANONYMOUS, DEVICE), Id(USER, "4711")}


@pytest.fixture
def receiver(empty: House, start_receiver: Callable[..., RunningReceiver]) -> RunningReceiver:
    """A receiver that was there before anybody was erased."""
    assert empty.landing.parent.exists()
    return start_receiver(seal_seconds=0.3, workers=2)


def last_request(receiver: RunningReceiver) -> dict[str, object]:
    lines = [json.loads(line) for line in receiver.log.read_text().splitlines() if "{" in line]
    return [line for line in lines if line.get("event") == "request"][-1]


def post(receiver: RunningReceiver, *events: dict[str, object]) -> None:
    answer = receiver.post("/v1/batch", json.dumps({"batch": events}))
    assert answer.status_code == 200


def test_a_suppressed_person_is_answered_200_and_not_stored(
    empty: House, receiver: RunningReceiver
) -> None:
    post(receiver, {"type": "track", "messageId": new_id(), "userId": ANNA})
    forget(empty.settings, WHO)
    kept = new_id()

    post(
        receiver,
        {"type": "track", "userId": ANNA},
        {"type": "page", "anonymousId": DEVICE},
        {"type": "alias", "userId": "new", "previousId": DEVICE},
        {"type": "delete", "userId": 4711},
        {"type": "nonsense", "userId": ANNA},
        {"type": "track", "userId": "bob", "messageId": kept},
        {"type": "nonsense", "userId": "bob", "properties": {"userId": ANNA[:-1]}},
    )
    log = last_request(receiver)
    receiver.post("/v1/batch", f'{{"batch":[{{"userId":"{ANNA}"}},}}')
    broken = last_request(receiver)

    assert (log["events"], log["rejected"], log["suppressed"]) == (2, 1, 5)
    assert (broken["events"], broken["suppressed"]) == (0, 1)
    assert receiver.landed(kept)
    assert eventually(lambda: receiver.open_files() == [])
    assert found_in(empty.landing, ANNA, DEVICE) == []
    assert 'seamline_suppressed_total{source="web"} 6.0' in receiver.get("/metrics").text


@pytest.mark.long
def test_who_is_allowed_again_is_stored_again(empty: House, receiver: RunningReceiver) -> None:
    forget(empty.settings, WHO)
    marker = new_id()

    freed = allow_again(empty.landing, [Id(USER, ANNA)])

    def is_stored() -> bool:
        post(receiver, {"type": "track", "userId": ANNA, "messageId": marker})
        return bool(receiver.landed(marker))

    assert freed == 1
    assert eventually(is_stored)
    post(receiver, {"type": "track", "anonymousId": DEVICE, "userId": "bob"})
    assert last_request(receiver)["suppressed"] == 1


@pytest.mark.long
def test_without_suppression_a_person_may_come_back(
    empty: House, receiver: RunningReceiver
) -> None:
    forget(empty.settings, WHO, suppress=False)
    marker = new_id()

    post(receiver, {"type": "track", "userId": ANNA, "messageId": marker})

    assert receiver.landed(marker)


def test_what_landed_on_another_way_is_not_loaded(empty: House) -> None:
    suppressed.begin(empty.landing, WHO, suppressed=True)
    bobs = landed.line({"type": "track", "userId": "bob"}, message_id="bobs")
    annas = landed.line({"type": "track", "userId": ANNA}, message_id="annas")
    landed.land(empty.landing, "track", bobs, annas, bobs)
    landed.land(empty.landing, "rejected", landed.rejected_line(b'{"userId":"anna-41c7",'))

    loaded = load(empty.settings)

    assert (loaded.rows["track"], loaded.rejected) == (2, 0)
    assert empty.rows("select line from raw.track order by line") == [(1,), (3,)]
    assert found_in(empty.landing.parent, ANNA) == []


@pytest.mark.parametrize("damaged", [b'{"kind":\n', b'{"kind":"\xff"}\n'])
def test_nothing_is_loaded_while_the_list_cannot_be_read(empty: House, damaged: bytes) -> None:
    suppressed.begin(empty.landing, WHO, suppressed=True)
    (empty.landing / "suppressed" / "list.ndjson").write_bytes(damaged)
    landed.land(empty.landing, "track", landed.line({"userId": ANNA}, message_id="annas"))

    with pytest.raises(DamagedListError, match="Put it back from a backup"):
        load(empty.settings)


def test_of_a_damaged_list_the_receiver_takes_what_it_can_read(
    empty: House, receiver: RunningReceiver
) -> None:
    suppressed.begin(empty.landing, WHO, suppressed=True)
    path = empty.landing / "suppressed" / "list.ndjson"
    path.write_bytes(path.read_bytes() + b"half a li")

    assert eventually(
        lambda: (
            receiver.post("/v1/track", json.dumps({"userId": ANNA})).status_code == 200
            and "suppressed_not_read" in receiver.log.read_text()
        )
    )
    post(receiver, {"type": "track", "userId": ANNA})
    assert last_request(receiver)["suppressed"] == 1


@pytest.mark.parametrize("damaged", [b"half a li", b'{"kind":"user","hash":"\xff"}'])
def test_a_damaged_line_of_the_list_takes_no_other_with_it(empty: House, damaged: bytes) -> None:
    suppressed.begin(empty.landing, WHO, suppressed=True)
    path = empty.landing / "suppressed" / "list.ndjson"
    path.write_bytes(damaged + b"\n" + path.read_bytes())
    live = LiveSuppression(empty.landing)

    live.refuse_unreadable()
    people = live.current()

    assert people is not None
    assert len(people) == len(WHO)


def test_a_list_that_another_user_has_made_is_not_believed_and_nobody_taken_for_free(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    suppressed.begin(empty.landing, WHO, suppressed=True)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    live = LiveSuppression(empty.landing)

    with pytest.raises(NotLandedError):
        live.current()
    with pytest.raises(StartError, match=f"another user.*chown -R {other} "):
        live.refuse_unreadable()


def test_the_last_list_that_could_be_read_holds_until_there_is_another(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(suppression, "time", SimpleNamespace(monotonic=lambda: now))
    live = LiveSuppression(empty.landing)
    assert live.current() is None
    suppressed.begin(empty.landing, WHO, suppressed=True)
    key = empty.landing / "suppressed" / "key"
    kept = key.rename(key.with_name("kept"))

    now = 10.0
    with pytest.raises(NotLandedError):
        live.current()
    kept.rename(key)
    now = 20.0
    people = live.current()
    assert people is not None
    assert len(people) == len(WHO)
    (empty.landing / "suppressed" / "list.ndjson").write_bytes(b"half a li")
    now = 30.0
    assert live.current() is people
    (empty.landing / "suppressed" / "list.ndjson").unlink()
    now = 40.0
    assert live.current() is None
