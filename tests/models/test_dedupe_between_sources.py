"""A public key that sends a message's id first does not hide the event of whoever has a secret."""

from typing import Any

import pytest
from click.testing import CliRunner

from orchestration.__main__ import cli
from orchestration.audit.completeness import count
from orchestration.models.first_copy import place
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

BROWSER = {"source": "shop", "credential": "browser"}
SERVER = {"source": "backend", "credential": "server"}
WEBHOOK = {"source": "segment", "credential": "webhook"}
BEFORE_KINDS = {"source": "backend"}


def copy(message_id: str, second: int, said: object, **sender: str) -> bytes:
    payload = {
        "type": "track",
        "messageId": message_id,
        "userId": "u",
        "event": "Order Completed",
        "properties": {"order": {"total": said, "currency": "EUR"}},
    }
    return landed.line(payload, received_at=f"2026-11-22T05:00:{second:02d}.000001Z", **sender)


def in_another_order(message_id: str, second: int, said: object, **sender: str) -> bytes:
    """The same event as another server writes it down."""
    payload = {
        "messageId": message_id,
        "properties": {"order": {"currency": "EUR", "total": said}},
        "context": {"ip": "10.0.0.1"},
        "event": "Order Completed",
        "userId": "u",
        "type": "track",
    }
    return landed.line(payload, received_at=f"2026-11-22T05:00:{second:02d}.000001Z", **sender)


def count_behind_models(house: House) -> None:
    house.models("track")
    with writer_lock(house.settings), connect(house.settings) as con:
        count(con, house.settings, {"track": 0.0})


def senders(house: House) -> dict[str, str]:
    """message_id → the source whose copy is the row."""
    return dict(house.rows("select message_id, _seamline_source from segment.track"))


@pytest.fixture(scope="module")
def increments(built_house: House) -> House:
    """Forged copies in a first load, the real ones in a second; and other pairs."""
    built_house.land(
        "track",
        copy("forged first", 1, 0, **BROWSER),
        copy("forged before kinds were known", 1, 0, **BROWSER),
        copy("of a server first", 1, 5, **SERVER),
        copy("of two servers", 1, 5, **SERVER),
        copy("seen by browser and webhook", 1, 5, **BROWSER),
        copy("in one load", 1, 0, **BROWSER),
        copy("in one load", 2, 5, **SERVER),
        copy("sent twice by one browser", 1, 5, **BROWSER),
    )
    built_house.load()
    count_behind_models(built_house)
    built_house.land(
        "track",
        copy("forged first", 30, 5, **SERVER),
        copy("forged before kinds were known", 30, 5, **BEFORE_KINDS),
        copy("of a server first", 30, 0, **BROWSER),
        copy("of two servers", 30, 6, **WEBHOOK),
        in_another_order("seen by browser and webhook", 30, 5, **WEBHOOK),
        copy("sent twice by one browser", 30, 6, **BROWSER),
    )
    built_house.load()
    count_behind_models(built_house)
    return built_house


EXPECTED = {
    "forged first": "backend",
    "forged before kinds were known": "backend",
    "of a server first": "backend",
    "of two servers": "backend",
    "seen by browser and webhook": "segment",
    "in one load": "backend",
    "sent twice by one browser": "shop",
}


def test_the_row_is_of_whom_has_a_secret_whoever_was_first(increments: House) -> None:
    assert senders(increments) == EXPECTED


def test_there_is_one_row_per_message_and_every_copy_is_accounted_for(increments: House) -> None:
    rows = increments.rows("select message_id from segment.track")

    assert len(rows) == len(EXPECTED)
    assert increments.problems() == []


def test_the_column_says_by_what_a_row_was_sent(increments: House) -> None:
    rows = increments.rows(
        "select message_id, _seamline_credential from segment.track "
        "where message_id like '%forged%'"
    )

    assert dict(rows) == {"forged first": "server", "forged before kinds were known": None}


def test_conflicts_are_counted_where_the_copy_came_in(increments: House) -> None:
    """Two sources that do not say the same; neither a retry nor the same in other words."""
    rows = increments.rows(
        "select source, conflicting, duplicate from segment.completeness where call = 'track'"
    )

    assert sorted(rows) == [("backend", 0, 0), ("segment", 1, 1), ("shop", 4, 6)]


def test_conflicts_are_listed(increments: House) -> None:
    rows = increments.rows(
        "select call, message_id, row_source, copy_source, copy_credential, is_row_first "
        "from segment.conflict"
    )

    assert sorted(rows) == [
        ("track", "forged before kinds were known", "backend", "shop", "browser", False),
        ("track", "forged first", "backend", "shop", "browser", False),
        ("track", "in one load", "backend", "shop", "browser", False),
        ("track", "of a server first", "backend", "shop", "browser", True),
        ("track", "of two servers", "backend", "segment", "webhook", True),
    ]


def test_status_names_the_number_of_conflicts(
    increments: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    increments.put_into(monkeypatch)

    shown = CliRunner().invoke(cli, ["status"])

    assert (
        "Messages of two sources that do not say the same: 5, see segment.conflict" in shown.output
    )


@pytest.mark.long
def test_built_in_one_go_or_from_the_files_the_tables_are_the_same(increments: House) -> None:
    in_increments: list[tuple[Any, ...]] = increments.tables(("track",))["track"]

    increments.dbt("run", "--select", "stg_segment__track", "track", "--full-refresh")

    assert increments.tables(("track",))["track"] == in_increments
    assert increments.problems() == []


def test_a_view_of_an_earlier_version_has_copies_without_a_kind() -> None:
    columns = {"_sdc_sequence", "_seamline_file", "_seamline_line"}

    assert place("copies", columns) == (
        "row(coalesce(null = 'browser', false), copies._sdc_sequence, copies._seamline_file, "
        "copies._seamline_line)"
    )
