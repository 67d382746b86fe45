"""Every load is reported: what it brought, what was rejected and why, how long it took."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orchestration.audit import load_reports
from orchestration.audit.recent_loads import recent_loads
from orchestration.loading import seconds
from orchestration.loading.seconds import Seconds
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.transaction import transaction
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

PARTS = ("read", "fields", "insert", "commit", "models")


def track(message_id: str, minute: int = 24) -> bytes:
    return landed.line(
        {"messageId": message_id, "type": "track", "event": "E"},
        received_at=f"2026-11-22T05:{minute}:46.123456Z",
    )


@pytest.fixture(scope="module")
def reported(built_house: House) -> House:
    """A load with copies and what cannot be used, and one that the models have not had."""
    built_house.land("track", track("a"), track("a", 25), track("b", 26), b"damaged\n")
    built_house.land("rejected", landed.rejected_line(b"{"), landed.rejected_line(b"["))
    built_house.run("load")
    built_house.land("track", track("c"))
    built_house.load()
    return built_house


def test_a_load_says_what_it_brought_to_each_table(reported: House) -> None:
    ((files, size, loaded, rejected, reasons, rows, duplicate),) = reported.rows(
        "select files, bytes, loaded, rejected, rejected_by_reason, rows, duplicate "
        "from segment.loads where load_id = 1 and table_name = 'track'"
    )

    assert (files, loaded, rejected, rows, duplicate) == (1, 3, 1, 2, 1)
    assert reasons == {"no_envelope": 1}
    assert size > 0


def test_what_the_receiver_rejected_is_a_table_of_its_own(reported: House) -> None:
    assert reported.rows(
        "select loaded, rejected, rejected_by_reason, rows, duplicate "
        "from segment.loads where table_name = 'rejected'"
    ) == [(0, 2, {"bad_json": 2}, None, None)]


def test_it_says_how_soon_it_was_shown_and_what_each_part_took(reported: House) -> None:
    ((oldest, newest, lag, *parts),) = reported.rows(
        f"select oldest_received_at, newest_received_at, lag_seconds, "
        f"{', '.join(f'{part}_seconds' for part in PARTS)} "
        "from segment.loads where load_id = 1 and table_name = 'track'"
    )

    assert newest - oldest == timedelta(minutes=2)
    assert lag > 0
    assert all(0 < part < 600 for part in parts)


def test_of_what_is_not_shown_yet_it_does_not_say_what_became_of_it(reported: House) -> None:
    assert reported.rows(
        "select loaded, rows, duplicate, lag_seconds from segment.loads where load_id = 2"
    ) == [(1, None, None, None)]


def test_the_newest_come_first_and_no_others(reported: House) -> None:
    with connect(reported.settings, read_only=True) as con:
        found = recent_loads(con, reported.settings, 1)

    assert [(one.load_id, one.table_name) for one in found] == [(2, "track")]


def shown(settings: Settings, last: int, **calls: int) -> list[tuple[int, str]]:
    with writer_lock(settings), connect(settings) as con, transaction(con):
        load_reports.add(con, settings.place, calls, [], last, {"track": 1.5})
    with reading(settings) as con:
        return con.execute("select load_id, call from raw.load order by all").fetchall()


@pytest.fixture
def two_loads(made_warehouse: Settings) -> Settings:
    """A ledger with two loads of tracks, and a reject in the second."""
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute(
            "insert into raw.landed_file by name select * from (values "
            "('track', 1, 3, 0), ('track', 2, 3, 0), ('rejected', 2, 0, 1), ('page', 2, 0, 0)) "
            "as t(call, load_id, rows, rejected)"
        )
    return made_warehouse


def test_a_load_is_noted_once(two_loads: Settings) -> None:
    expected = [(1, "track"), (2, "rejected"), (2, "track")]

    assert shown(two_loads, 0, track=0) == expected
    assert shown(two_loads, 0, track=0) == expected
    assert shown(two_loads, 2, track=2) == expected


def test_what_was_made_again_from_the_files_is_not_noted(two_loads: Settings) -> None:
    with writer_lock(two_loads), connect(two_loads) as con:
        con.execute("insert into raw.restored by name select 1 as load_id")

    assert shown(two_loads, 0, track=0) == [(2, "rejected"), (2, "track")]


def test_seconds_are_of_the_load_they_were_measured_in(two_loads: Settings) -> None:
    seconds.remember(two_loads.place, 2, Seconds(1, 2, 3, 4))
    seconds.remember(Path("another"), 1, Seconds(5, 5, 5, 5))
    shown(two_loads, 0, track=0)

    with reading(two_loads) as con:
        assert con.execute(
            "select load_id, read_seconds, commit_seconds, models_seconds from raw.load "
            "where call = 'track' order by all"
        ).fetchall() == [(1, None, None, 1.5), (2, 1, 4, 1.5)]
    assert seconds.take(Path("another")).keys() == {1}


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seconds, "MOST", 2)
    for load_id in range(4):
        seconds.remember(Path("nobody asks"), load_id, Seconds())

    assert seconds.take(Path("nobody asks")).keys() == {2, 3}


def test_what_is_old_is_forgotten(two_loads: Settings) -> None:
    shown(two_loads, 0, track=0)
    with writer_lock(two_loads), connect(two_loads) as con:
        con.execute("update raw.load set shown_at = $1 where load_id = 1", [datetime(2026, 1, 1)])  # noqa: DTZ001
        with transaction(con):
            assert load_reports.forget(con, 30) == 1
        assert con.execute("select distinct load_id from raw.load").fetchall() == [(2,)]
