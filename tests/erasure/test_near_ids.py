"""Ids that are nearly the same stay, are counted, and go when that is asked for."""

import pytest
from click.testing import CliRunner

from orchestration.__main__ import cli
from orchestration.audit import status as audit
from orchestration.audit.status import status
from orchestration.erasure.erase import forget
from orchestration.erasure.near_ids import (
    BLANKS,
    CASE,
    EMAIL,
    MIXED,
    NUMBER,
    EmailOfSeveralError,
)
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id
from orchestration.loading.suppressed import suppressed_people
from tests.support import landed
from tests.support.house import House
from tests.support.receiver.attack import bad_input

ANN = "ann@example.com"
ZERO_WIDTH = "\u200b"


def land(house: House, *events: dict[str, object], received_at: str | None = None) -> None:
    """A file of such events for each call."""
    when = {"received_at": received_at} if received_at else {}
    for call in ("track", "identify"):
        lines = [
            landed.line(event, message_id=f"{call}-{number}", **when)
            for number, event in enumerate(events)
            if event["type"] == call
        ]
        if lines:
            landed.land(house.landing, call, *lines)
    load(house.settings)


def track(user: object) -> dict[str, object]:
    return {"type": "track", "userId": user}


def identify(user: str, email: str, **others: object) -> dict[str, object]:
    return {"type": "identify", "userId": user, "traits": {"email": email}} | others


def users_left(house: House) -> set[str]:
    rows = house.rows(
        "select payload ->> '$.userId' from raw.track union "
        "select payload ->> '$.userId' from raw.identify"
    )
    return {user for (user,) in rows}


NEAR = {
    CASE: ["Ann@Example.com"],
    BLANKS: [ANN + ZERO_WIDTH, f" {ANN}\n"],
    MIXED: ["ANN@example.com "],
    NUMBER: ["42007.0", "+4.2007e4", "042007"],
}


@bad_input("B144", "an erased address in another case", "it stays, and is counted")
@bad_input("B145", "an erased id with blanks or what is not shown", "it stays, and is counted")
@bad_input("B146", "an erased number, written otherwise", "it stays, and is counted")
@bad_input("B147", "an erased id that is the address of another", "that stays, and is counted")
def test_ids_that_are_nearly_the_same_stay_and_are_counted(empty: House) -> None:
    near = [user for users in NEAR.values() for user in users]
    of_address = [identify("u-77", "Ann@example.com"), identify("u-78", "bo@b.org")]
    land(empty, *map(track, [ANN, "42007", *near, "another", "42008"]), *of_address)

    done = forget(empty.settings, {Id(USER, ANN), Id(USER, "42007")})

    assert done.near == {way: len(users) for way, users in NEAR.items()} | {EMAIL: 1}
    assert users_left(empty) == {*near, "another", "42008", "u-77", "u-78"}
    said = f"3 events have an id that is nearly one of these and stay: {NUMBER}"
    assert said in done.report()


@pytest.mark.long
def test_near_ids_go_and_are_suppressed_where_that_is_asked_for(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.put_into(monkeypatch)
    land(empty, track(ANN), track("ANN@example.com"), track(ANN + ZERO_WIDTH), track("bob"))

    shown = CliRunner().invoke(cli, ["forget", f"--user-id={ANN}", "--near"])

    assert shown.exit_code == 0, shown.output
    assert "Erased 3 people" in shown.output
    assert users_left(empty) == {"bob"}
    people = suppressed_people(empty.landing)
    assert people is not None
    assert people.of_event(b'{"userId": "ANN@example.com"}')


@pytest.fixture
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every event have come in the last day."""
    monkeypatch.setattr(audit, "NEAR_DAYS", 36_525)


@pytest.mark.long
@pytest.mark.usefixtures("_today")
def test_what_comes_later_with_nearly_a_suppressed_id_is_counted_by_status(empty: House) -> None:
    land(empty, track("bob"))
    forget(empty.settings, {Id(USER, ANN)})
    assert "nearly" not in "\n".join(status(empty.settings).lines())

    land(empty, track("ANN@example.com"), track(ANN), track(ANN + " "), track("bo"))

    assert users_left(empty) == {"bob", "ANN@example.com", ANN + " ", "bo"}
    said = "Received in a day with an id that is nearly one of somebody suppressed: 2 events"
    assert said in "\n".join(status(empty.settings).lines())


@pytest.mark.long
def test_by_an_address_its_one_user_goes_with_the_devices(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.put_into(monkeypatch)
    land(
        empty,
        identify("u-77", "Ann@example.com ", anonymousId="device-of-ann"),
        {"type": "track", "userId": "u-77"},
        {"type": "track", "anonymousId": "device-of-ann", "userId": "u-79"},
        identify("u-78", "bob@example.com"),
    )

    shown = CliRunner().invoke(cli, ["forget", f"--email={ANN}"])

    assert shown.exit_code == 0, shown.output
    assert users_left(empty) == {"u-78"}
    assert "u-77" not in shown.output


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(
            identify("victim", ANN),
            id="of two users",
            marks=bad_input(
                "B148", "an erasure by an address that two users have", "nobody is erased"
            ),
        ),
        pytest.param(
            identify("u-77", "other@example.com"),
            id="of one with another",
            marks=bad_input(
                "B149", "an erasure by an address of a user who has another too", "nobody is erased"
            ),
        ),
    ],
)
def test_an_address_that_is_not_of_one_user_alone_erases_nobody(
    empty: House, forged: dict[str, object]
) -> None:
    land(empty, identify("u-77", ANN), identify("victim", "v@example.com"), forged)

    with pytest.raises(EmailOfSeveralError, match="Nothing was erased"):
        forget(empty.settings, (), emails=[ANN])

    assert users_left(empty) == {"u-77", "victim"}
