"""Events without a `messageId`: what comes at different times or places is different."""

import json
from collections.abc import Callable

import pytest

from receiver.events import intake
from tests.support.receiver.attack import bad_input
from tests.support.receiver.in_process import InProcess
from tests.support.receiver.senders import WEB, basic

CURL = b'{"type":"track","event":"e"}'
TIMED = b'{"type":"track","event":"e","timestamp":"2026-11-22T00:00:00Z"}'
NOON = 1_800_000_000.0  # at the beginning of a minute

At = Callable[[float], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the receiver's clock."""

    def set_clock(second: float) -> None:
        monkeypatch.setattr(intake.time, "time", lambda: second)

    set_clock(NOON)
    return set_clock


def from_address(address: str) -> dict[str, str]:
    return {**WEB, "X-Forwarded-For": address}


@bad_input("B96", "a pixel without a `messageId`, opened three times", "three events")
def test_each_view_of_a_pixel_is_an_event(inside: InProcess) -> None:
    for _ in range(3):
        inside.send("/v1/pixel/track?writeKey=web-key&event=Opened", method="GET")

    assert len(set(inside.ids())) == 3


def test_a_pixel_that_has_an_id_keeps_it(inside: InProcess) -> None:
    inside.send("/v1/pixel/track?writeKey=web-key&messageId=m", method="GET")

    assert inside.ids() == ["m"]


@bad_input("B97", "equal events without a `messageId` in one batch", "an event each")
def test_equal_events_of_a_batch_are_two_and_a_retry_adds_none(inside: InProcess, at: At) -> None:
    for item in (CURL, TIMED):
        for second in (0, 2):
            at(NOON + second)
            inside.send("/v1/batch", b'{"batch":[%b,%b]}' % (item, item))

    assert len(inside.ids()) == 8
    assert len(set(inside.ids())) == 4


def test_batches_that_say_when_they_were_sent_are_told_apart_by_it(
    inside: InProcess, at: At
) -> None:
    batch = b'{"batch":[%b],"sentAt":"2026-11-22T00:00:0%dZ"}'
    inside.send("/v1/batch", batch % (CURL, 1))
    inside.send("/v1/batch", batch % (CURL, 2))
    at(NOON + 3600)
    inside.send("/v1/batch", batch % (CURL, 1))  # the first, sent again

    first, second, again = inside.ids()
    assert first == again != second


@bad_input("B98", "the same event without id and time, again", "one within a minute, else two")
def test_without_a_time_a_retry_at_once_is_one_and_a_later_one_another(
    inside: InProcess, at: At
) -> None:
    found = []
    for second in (0, 2, 59, 60, 3600):
        at(NOON + second)
        inside.send("/v1/track", CURL)
        found.append(len(set(inside.ids())))

    assert found == [1, 1, 1, 2, 3]


@pytest.mark.parametrize("name", ["timestamp", "originalTimestamp", "sentAt"])
@bad_input("B99", "the same event with a time and without an id, again", "one, whenever it comes")
def test_an_event_with_a_time_of_its_own_is_one_whenever_it_comes(
    inside: InProcess, at: At, name: str
) -> None:
    for second in (0, 4 * 3600):
        at(NOON + second)
        inside.send("/v1/track", TIMED.replace(b"timestamp", name.encode()))

    assert len(set(inside.ids())) == 1


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize("item", [CURL, TIMED])
def test_equal_events_of_two_places_are_two(inside: InProcess, item: bytes) -> None:
    for address in ("203.0.113.7", "203.0.113.8"):
        inside.send("/v1/track", item, from_address(address))

    assert len(set(inside.ids())) == 2


@pytest.mark.usefixtures("at")
@pytest.mark.parametrize("item", [CURL, TIMED])
def test_equal_events_of_two_sources_are_two(inside: InProcess, item: bytes) -> None:
    for key in ("web-key", "hooks-key"):
        inside.send("/v1/track", item, basic(key))

    assert len(set(inside.ids())) == 2


@pytest.mark.usefixtures("at")
def test_a_webhooks_retry_comes_from_any_of_segments_addresses(inside: InProcess) -> None:
    for address in ("203.0.113.7", "203.0.113.8"):
        headers = basic("hooks-key") | {"X-Forwarded-For": address}
        inside.send("/webhooks/hooks", CURL, headers)

    assert len(set(inside.ids())) == 1


def test_a_made_up_id_is_recognised_and_counted(inside: InProcess) -> None:
    inside.send("/v1/batch", b'{"batch":[%b,{"type":"track","messageId":"m"}]}' % CURL)

    made, own = inside.ids()
    assert (made.startswith("sha256-"), own) == (True, "m")
    page = inside.send("/metrics", method="GET").get_data(as_text=True)
    assert 'seamline_made_up_ids_total{source="web"} 1.0' in page


def test_an_events_payload_says_nothing_of_its_made_up_id(inside: InProcess) -> None:
    inside.send("/v1/track", CURL)

    assert inside.landed()[0]["payload"] == json.loads(CURL)
