"""Segment's `delete` notifications erase those they name, and themselves."""

import json
from collections.abc import Callable

import dagster as dg
import pytest

from orchestration.erasure.erase import forget_notified
from orchestration.loading import suppressed
from orchestration.loading.load import load
from orchestration.settings import Settings
from tests.support import landed
from tests.support.house import House
from tests.support.person import found_in
from tests.support.processes import eventually
from tests.support.receiver.senders import basic, new_id
from tests.support.receiver.server import RunningReceiver

PARTNER = basic("partner-key")


def with_setting(house: House, **changed: object) -> Settings:
    return Settings.model_validate(house.settings.model_dump(by_alias=True) | changed)


def land_notified(house: House) -> None:
    """Events of two people, and notifications for one of them and for nobody."""
    lines = [
        landed.line({"type": "track", "userId": user, "messageId": f"m-{user}-{n}"})
        for n, user in enumerate(("gone-55aa", "stays", "gone-55aa"))
    ]
    landed.land(house.landing, "track", *lines)
    delete = {"type": "delete", "userId": "gone-55aa", "messageId": "d1", "context": None}
    odd = {"type": "delete", "userId": None, "messageId": "d2"}
    landed.land(house.landing, "delete", landed.line(delete), landed.line(odd))
    load(house.settings)


def test_a_notification_from_webhook_to_the_last_byte(
    empty: House, start_receiver: Callable[..., RunningReceiver]
) -> None:
    receiver = start_receiver(seal_seconds=0.3)
    kept = new_id()
    events = [
        {"type": "identify", "userId": "gone-55aa", "messageId": new_id()},
        {"type": "track", "userId": "stays", "messageId": kept},
        {
            "type": "delete",
            "userId": "gone-55aa",
            "messageId": new_id(),
            "context": None,
            "integrations": None,
            "originalTimestamp": "2026-11-22 05:24:46.123 +0000 UTC",
        },
    ]
    unsigned = receiver.post("/webhooks/partner", json.dumps(events[2]), headers={})
    for event in events:
        assert receiver.post("/webhooks/partner", json.dumps(event), headers=PARTNER).is_success
    assert unsigned.status_code == 401
    assert eventually(lambda: receiver.open_files() == [])
    load(empty.settings)
    assert empty.rows("select count(*) from raw.delete") == [(1,)]

    done = forget_notified(empty.settings)

    assert (done.people, done.lines) == (1, 2)
    assert found_in(empty.landing.parent, "gone-55aa") == []
    assert empty.rows("select message_id from raw.track") == [(kept,)]
    assert empty.rows("select count(*) from raw.delete") == [(0,)]
    assert empty.rows("select kind, lines from raw.erasure") == [("user", 2)]


@pytest.mark.long
def test_a_notification_erases_and_does_not_suppress_and_one_that_names_nobody_stays(
    empty: House,
) -> None:
    land_notified(empty)

    forget_notified(empty.settings)

    assert empty.rows("select message_id from raw.track") == [("m-stays-1",)]
    assert suppressed.suppressed_people(empty.landing) is None
    assert empty.rows("select message_id from raw.delete") == [("d2",)]
    assert forget_notified(empty.settings).people == 0


@pytest.mark.long
def test_a_notification_suppresses_where_that_is_set(empty: House) -> None:
    land_notified(empty)

    forget_notified(with_setting(empty, delete_suppresses=True))

    assert suppressed.suppressed_people(empty.landing) is not None


@pytest.mark.long
def test_the_asset_erases_every_hour(empty: House, monkeypatch: pytest.MonkeyPatch) -> None:
    empty.put_into(monkeypatch)
    from orchestration.defs.erasure_asset import erase_hourly, erasure  # noqa: PLC0415 - reads settings

    land_notified(empty)

    result = dg.materialize([erasure])

    (event,) = result.asset_materializations_for_node("erasure")
    assert {name: shown.value for name, shown in event.metadata.items()} == {
        "people": 1,
        "lines": 3,
        "files": 2,
    }
    assert found_in(empty.landing.parent, "gone-55aa") == []
    assert erase_hourly.default_status == dg.DefaultScheduleStatus.RUNNING
