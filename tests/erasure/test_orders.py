"""Who ordered an erasure is kept, and what an order may not do."""

import gzip
import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from click.testing import CliRunner

from orchestration.__main__ import cli
from orchestration.audit.status import status
from orchestration.erasure.erase import forget, forget_notified
from orchestration.erasure.notified import reason_to_refuse
from orchestration.loading import suppressed
from orchestration.loading.load import load
from orchestration.loading.people import USER, Id, People, Person, hash_of
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.receiver.attack import bad_input

ORDERS = "select ordered_by, source, ordered_at::varchar, credential, lines from raw.erasure"


def with_setting(house: House, **changed: object) -> Settings:
    return Settings.model_validate(house.settings.model_dump(by_alias=True) | changed)


def notification(user: object, second: int = 0, **sender: str) -> bytes:
    return landed.line(
        {"type": "delete", "userId": user, "messageId": f"d-{user!r}-{second}"},
        received_at=f"2026-11-22T05:00:{second:02d}.000001Z",
        **sender,
    )


def land(house: House, *notifications: bytes, users: tuple[object, ...] = ()) -> None:
    """Notifications, and an event of each user."""
    landed.land(house.landing, "delete", *notifications)
    events = [{"type": "track", "userId": user, "messageId": f"m-{user!r}"} for user in users]
    if events:
        landed.land(house.landing, "track", *map(landed.line, events))
    load(house.settings)


def users_left(house: House) -> list[str]:
    rows = house.rows("select payload ->> '$.userId' from raw.track order by 1")
    return [user for (user,) in rows]


@pytest.mark.long
def test_who_sent_the_notification_is_kept_though_it_is_erased_itself(empty: House) -> None:
    land(
        empty,
        notification("gone-55aa", 9, source="late"),
        notification("gone-55aa", 7, source="hooks", credential="webhook"),
        users=("gone-55aa",),
    )

    forget_notified(empty.settings)

    ((_, digest),) = empty.rows("select kind, hash from raw.erasure")
    order = ("notification", "hooks", "2026-11-22 05:00:07.000001", "webhook", 3)
    assert empty.rows(ORDERS) == [order]
    assert empty.rows("from raw.delete") == []
    (entry,) = suppressed.entries(empty.landing)
    assert (entry.ordered_by, entry.source, entry.credential) == (order[0], order[1], order[3])
    assert entry.hash == digest


@pytest.mark.long
def test_what_the_command_erases_it_has_ordered(empty: House) -> None:
    forget(empty.settings, {Id(USER, "gone-55aa")})

    assert empty.rows(ORDERS) == [("command", None, None, None, 0)]


@pytest.mark.long
def test_of_an_erasure_of_an_earlier_version_it_is_unknown(empty: House) -> None:
    land(empty)
    forget(empty.settings, {Id(USER, "gone-55aa")})
    with writer_lock(empty.settings), connect(empty.settings) as con:
        for column in ("ordered_by", "source", "ordered_at", "credential"):
            con.execute(f"alter table raw.erasure drop column {column}")
    path = empty.landing / "suppressed" / "list.ndjson"
    earlier = path.read_text().split(',"ordered_by"')[0] + "}\n"
    path.write_text(earlier)

    load(empty.settings)

    assert empty.rows(ORDERS) == [("unknown", None, None, None, 0)]
    assert suppressed.entries(empty.landing)[0].ordered_by == "unknown"


@pytest.mark.parametrize(
    ("user", "reason"),
    [
        pytest.param(
            "",
            "blank",
            marks=bad_input(
                "B140",
                "a notification whose id is nothing, or nothing that is shown",
                "loads, and erases nobody",
            ),
        ),
        pytest.param(" \t", "blank"),
        pytest.param("\u200b\ufeff", "blank"),
        pytest.param(
            "7",
            "too_short",
            marks=bad_input(
                "B141",
                "a notification whose id has one or two characters",
                "loads, and erases nobody",
            ),
        ),
        pytest.param(" u1 ", "too_short"),
        pytest.param("bob", None, id="three characters"),
    ],
)
def test_an_id_that_is_nobodys_own_is_refused_for_a_reason(user: str, reason: str | None) -> None:
    assert reason_to_refuse(user) == reason


def test_what_was_refused_erases_nobody_and_is_counted(empty: House) -> None:
    land(empty, *map(notification, ("", 7, "u1", " ")), users=("", 7, "u1", "stays"))

    done = forget_notified(empty.settings)

    assert done.people == 0
    assert dict(done.refused) == {"too_short": 2, "blank": 2}
    assert len(users_left(empty)) == 4
    assert empty.rows("select count(*) from raw.delete") == [(4,)]
    said = "\n".join(status(empty.settings).lines())
    assert "0 people go with the next hourly erasure; ids refused: 2 blank, 2 too_short" in said


@pytest.mark.long
def test_a_fraction_is_the_id_that_was_sent(empty: House) -> None:
    land(empty, landed.line('{"type":"delete","userId":70.10,"messageId":"d"}'))
    landed.land(empty.landing, "track", landed.line('{"userId":70.10,"messageId":"m"}'))
    load(empty.settings)

    assert forget_notified(empty.settings).lines == 2


@pytest.mark.long
def test_the_command_erases_a_short_id_all_the_same_and_says_what_it_did_not_look_for(
    empty: House,
) -> None:
    land(empty, notification("7"), users=("7", "stays"))

    done = forget(empty.settings, {Id(USER, "7")})

    assert users_left(empty) == ["stays"]
    assert empty.rows("from raw.delete") == []
    assert "1 ids are too short to be looked for" in "\n".join(done.report())


BROKEN = b'{"type":"track","userId":"gone-55aa","x":'


@pytest.mark.parametrize(
    ("user", "body"),
    [
        pytest.param(
            "gone-55aa",
            BROKEN,
            id="broken JSON",
            marks=bad_input(
                "B142", "a notification of an id that stands in what cannot be read", "that stays"
            ),
        ),
        pytest.param("gone-55aa", b"who=gone-55aa&x", id="form"),
        pytest.param("track", b'{"type":"track","userId":"bob", ', id="word"),
        pytest.param("gone-55aa", b"\xff" + BROKEN, id="no UTF-8"),
        pytest.param("gone-55aa", gzip.compress(BROKEN, mtime=0), id="gzip"),
    ],
)
def test_whom_a_notification_names_has_nothing_that_cannot_be_read(user: str, body: bytes) -> None:
    key = bytes(32)
    one = Id(USER, user)
    person = Person(USER, hash_of(key, one))

    assert not People(key, [person], [one], in_broken=[]).of_body(body)
    assert not People(key, [person], [one], in_broken=[]).of_line(body)
    assert People(key, [person], [one]).of_body(body)


def test_a_notification_takes_a_rejected_record_only_if_it_can_be_read(empty: House) -> None:
    theirs, others = b'{"type":"odd","userId":"gone-55aa"}', b'{"type":"odd","userId":"bob"}'
    landed.land(empty.landing, "rejected", *map(landed.rejected_line, (BROKEN, theirs, others)))
    land(empty, notification("gone-55aa"), users=("gone-55aa",))
    landed.land(empty.landing, "rejected", landed.rejected_line(BROKEN))  # not loaded

    forget_notified(empty.settings)
    load(empty.settings)

    assert users_left(empty) == []
    left = empty.rows("select body from raw.rejected order by body")
    assert left == [(others,), (BROKEN,), (BROKEN,)]


@pytest.mark.long
def test_nor_does_an_hourly_run_that_finishes_what_a_notification_began(empty: House) -> None:
    landed.land(empty.landing, "rejected", landed.rejected_line(BROKEN))
    land(empty)
    order = suppressed.Order("notification", "hooks")
    ids = {Id(USER, "gone-55aa"): order}
    suppressed.begin(empty.landing, ids, suppressed=True)

    forget_notified(empty.settings)
    landed.land(empty.landing, "rejected", landed.rejected_line(BROKEN))
    load(empty.settings)

    assert empty.rows("select count(*) from raw.rejected") == [(2,)]


@pytest.mark.parametrize("user", ["7", "bob", "2026", "20261"])
def test_the_command_looks_for_an_id_by_itself_only_if_it_is_long_enough(user: str) -> None:
    key = bytes(32)
    one = Id(USER, user)
    people = People(key, [Person(USER, hash_of(key, one))], [one])

    assert not people.of_body(f'at {user}-11-22, {{"who":"{user}","userId":"x'.encode())
    assert people.of_body(f'{{"userId":"{user}", '.encode())


def crowd(house: House, number: int, source: str) -> None:
    names = tuple(f"{source}-user-{n}" for n in range(number))
    orders = [notification(name, n, source=source) for n, name in enumerate(names)]
    land(house, *orders, users=names)


@pytest.mark.long
@bad_input(
    "B143",
    "more people in notifications than a source may erase in an hour",
    "they wait, others' do not",
)
def test_beyond_the_ceiling_of_a_source_its_orders_wait_and_no_other_source_does(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many an hour, and the oldest orders are done first; the command lets all through."""
    monkeypatch.setattr(suppressed, "hour_of", lambda _: 0)
    crowd(empty, 5, "hooks")
    crowd(empty, 2, "crm")
    limited = with_setting(empty, delete_people=2)

    done = forget_notified(limited)

    assert (done.people, done.waiting) == (4, 3)
    assert users_left(empty) == ["hooks-user-2", "hooks-user-3", "hooks-user-4"]
    again = forget_notified(limited)  # in the same hour
    assert (again.people, again.waiting) == (0, 3)
    (problem,) = status(limited).problems
    assert problem.startswith("3 people whom delete notifications name wait")
    assert "forget --notified --all" in problem

    empty.put_into(monkeypatch)
    monkeypatch.setenv("SEAMLINE_DELETE_PEOPLE", "2")
    shown = CliRunner().invoke(cli, ["forget", "--notified", "--all"])

    assert shown.exit_code == 0, shown.output
    assert users_left(empty) == []


@pytest.mark.long
def test_an_hour_later_the_next_are_done(empty: House) -> None:
    crowd(empty, 2, "hooks")
    limited = with_setting(empty, delete_people=1)
    forget_notified(limited)
    path = empty.landing / "suppressed" / "list.ndjson"
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    path.write_text(re.sub('"at":"[^"]*"', f'"at":"{hour_ago.isoformat()}"', path.read_text()))

    done = forget_notified(limited)

    assert (done.people, done.waiting) == (1, 0)
    assert users_left(empty) == []


@pytest.mark.long
def test_checks_in_dagster_say_what_waits_and_what_was_refused(
    empty: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.put_into(monkeypatch)
    monkeypatch.setenv("SEAMLINE_DELETE_PEOPLE", "1")
    from orchestration.defs.erasure_asset import erasure  # noqa: PLC0415 - reads settings

    crowd(empty, 2, "hooks")
    land(empty, notification("7"))

    result = dg.materialize([erasure])

    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert {name: one.passed for name, one in checks.items()} == {
        "no_order_waits": False,
        "no_order_is_refused": False,
    }
    assert checks["no_order_waits"].metadata["people"].value == 1
    assert checks["no_order_is_refused"].metadata["too_short"].value == 1
