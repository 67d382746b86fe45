"""Times as senders write them are read row by row, and none is later than its receipt."""

import json

import duckdb
import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.macros import macros

TEN = "2026-11-20 10:00:00"
READ = {
    "2026-11-20T10:00:00Z": TEN,
    "2026-11-20T10:00Z": TEN,
    "2026-11-20T10:00": TEN,
    "20261120T100000Z": TEN,
    "20261120T1000Z": TEN,
    "20261120T10Z": TEN,
    "20261120T12+02": TEN,
    "20261120T1200+02:00": TEN,
    "2026-11-20T10Z": TEN,
    "2026-11-20T10": TEN,
    "2026-11-20T12+02": TEN,
    "2026-11-20T12-0200": "2026-11-20 14:00:00",
    "2026-11-21T04:00:00+18:00": TEN,
    "2026-11-21T04:00:00 +1800": TEN,
    "2026-11-19T16:00:00-18": TEN,
    "20261120T120000.5+0200": "2026-11-20 10:00:00.5",
    "2026-11-20T10:00:00,000Z": TEN,
    "2026-11-20t10:00:00z": TEN,
    "2026-11-20 10:00:00": TEN,
    "2026-11-20 10:00:00 UTC": TEN,
    " 2026-11-20T10:00:00Z ": TEN,
    "2026-11-20T12:00:00+02": TEN,
    "2026-11-20T12:00:00+0200": TEN,
    "2026-11-20T12:00:00+02:00": TEN,
    "2026-11-20T04:30:00-05:30": TEN,
    "2026-11-20T10:00:00-00:00": TEN,
    "2026-11-20T19:00:00+09:00[Asia/Tokyo]": TEN,
    "2026-12-31T23:59:60Z": "2027-01-01 00:00:00",
    "2026-11-20T24:00:00Z": "2026-11-21 00:00:00",
    "2026-11-20": "2026-11-20 00:00:00",
    "2015-2-02T0:30:08.276Z": "2015-02-02 00:30:08.276",
    "2020-05-09 23:54:49.209808489 +0200 CEST": "2020-05-09 21:54:49.209808",
    "2020-05-09 23:54:49.209808489 +0000 UTC m=+70366.298768264": "2020-05-09 23:54:49.209808",
} | {
    f"2026-11-20T10:00:00.{'123456789'[:digits]}Z": f"{TEN}.{'123456'[:digits]}"
    for digits in range(1, 10)
}
NO_TIMES = [
    "2026-11-20T10:00:00 Asia/Tokyo",  # no offset: what it is changes with the zone's own rules
    "2026-11-20T10:00:00+25:00",
    "2026-11-20T10:00:00+18:59",
    "2026-11-20T10:00:00-18:01",
    "2026-11-20T10:00:00+1830",
    "2026-11-20T10:00:00 -18:30 XYZ",
    "20261120T10+1801",
    "2026-11-20T",
    "20261120T",
    "20261120T1Z",
    "2026-11-20T10:5Z",
    "2026-W47-5",
    "2026-324",
    "2026-11",
    "2026-11-20T10:00:61Z",
    "2026-02-30T10:00:00Z",
    "2024-13-45",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "+275760-09-13T00:00:00.000Z",
    "1700000000",
    "1700000000000",
    "20261120",  # a day in the basic form is a bare number
    "20261120Z",
    "epoch",
    "infinity",
    "now",
    "yesterday",
    "",
    "2026-11-20T10:00:00Z\0",
]


def times(*texts: str) -> list[str | None]:
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        read = macros()["utc_timestamp"]("written")
        rows = con.execute(
            f"select ({read})::varchar from (select unnest($1::varchar[]) as written)", [texts]
        ).fetchall()
    return [time for (time,) in rows]


def test_a_time_is_read_in_every_form_that_senders_use() -> None:
    assert dict(zip(READ, times(*READ), strict=True)) == READ


def test_what_is_no_time_is_null() -> None:
    assert dict(zip(NO_TIMES, times(*NO_TIMES), strict=True)) == dict.fromkeys(NO_TIMES)


def test_a_time_does_not_depend_on_the_rows_around_it() -> None:
    texts = [*READ, *NO_TIMES]
    alone = [*READ.values(), *(None for _ in NO_TIMES)]

    for poison in ("2026-11-20T10:00:00 Asia/Tokyo", "2026-11-20T10:00:00 America/New_York"):
        among = times(*(one for text in texts for one in (poison, text)))
        assert among[1::2] == alone


RECEIVED = "2026-11-20 10:00:00"
NOW = "2026-11-20T10:00:00Z"


@pytest.mark.parametrize(
    ("clocks", "sent_at", "expected"),
    [
        pytest.param({"timestamp": NOW}, "1970-01-01T00:00:00Z", RECEIVED, id="sent in 1970"),
        pytest.param({"timestamp": NOW}, "2083-01-01T00:00:00Z", RECEIVED, id="sent in 2083"),
        pytest.param(
            {"timestamp": "1970-01-01T00:00:00Z"},
            "1970-01-01T00:01:00Z",
            "2026-11-20 09:59:00",
            id="a clock that is wrong all the time",
        ),
        pytest.param({"timestamp": "1970-01-01T00:00:00Z"}, NOW, RECEIVED, id="happened in 1970"),
        pytest.param({"timestamp": "2083-01-01T00:00:00Z"}, None, RECEIVED, id="given in 2083"),
        pytest.param(
            {"timestamp": "2019-01-01T00:00:00Z"}, NOW, "2019-01-01 00:00:00", id="an import"
        ),
        pytest.param(
            {"timestamp": "2083-01-01T00:00:00Z", "originalTimestamp": NOW, "receivedAt": NOW},
            "1970-01-01T00:00:00Z",
            RECEIVED,
            id="corrected by Segment into the future",
        ),
        pytest.param(
            {"timestamp": NOW, "originalTimestamp": NOW, "receivedAt": "2083-01-01T00:00:00Z"},
            NOW,
            RECEIVED,
            id="received in the future",
        ),
        pytest.param(
            {"timestamp": "2026-11-20T10:04:00Z"}, None, "2026-11-20 10:04:00", id="within minutes"
        ),
    ],
)
def test_no_event_happened_after_its_receipt_or_absurdly_long_before(
    clocks: dict[str, str], sent_at: str | None, expected: str
) -> None:
    readings = macros()["clock_readings"]({name: f'"{name}"' for name in clocks})
    given = ", ".join(f"'{text}' as \"{name}\"" for name, text in clocks.items())
    with duckdb.connect() as con:
        row = con.execute(
            f"select timestamp::varchar, received_at::varchar from ("
            f"select {macros()['event_times']()} from (select *, {readings} from (select {given}, "
            f"timestamp '{RECEIVED}' as received_at, $1::varchar as sent_at)))",
            [sent_at],
        ).fetchone()

    assert row == (expected, RECEIVED)


NOON = "at noon"


@pytest.mark.parametrize(
    ("sent", "sent_at", "expected"),
    [
        pytest.param({"timestamp": NOW}, NOW, None, id="all can be read"),
        pytest.param({}, None, None, id="none was sent"),
        pytest.param({"timestamp": NOON}, NOW, "timestamp", id="a word"),
        pytest.param({"timestamp": ""}, NOW, "timestamp", id="an empty text"),
        pytest.param({"timestamp": 1700000000}, NOW, "timestamp", id="a number"),
        pytest.param({"timestamp": None}, NOW, None, id="null"),
        pytest.param({"timestamp": NOW}, NOON, "sentAt", id="what the batch says"),
        pytest.param({"sentAt": ""}, None, "sentAt", id="an empty sentAt of the event"),
        pytest.param({"sentAt": ""}, NOW, None, id="an empty sentAt, and the batch's"),
        pytest.param({"timestamp": "1971-01-01T00:00:00Z"}, NOW, None, id="read, not believed"),
        pytest.param(
            {"timestamp": {}, "originalTimestamp": [], "receivedAt": True},
            NOON,
            "timestamp, originalTimestamp, receivedAt, sentAt",
            id="each of them",
        ),
    ],
)
@pytest.mark.parametrize("read_as", ["varchar", "json"])
def test_what_was_sent_as_a_time_and_is_none_is_named(
    sent: dict[str, object], sent_at: str | None, expected: str | None, read_as: str
) -> None:
    """However the payload is read: as text, or as JSON once other types were seen."""
    field = {"read_as": read_as}
    read = {name: f'"{name}"' if read_as == "json" else f"{name} ->> '$'" for name in sent}
    clocks = {name: macros()["clock_text"](read[name], field) for name in sent}
    texts = {name: macros()["sent_text"](read[name], field) for name in sent}
    given = ", ".join(f"'{json.dumps(value)}'::json as \"{name}\"" for name, value in sent.items())
    with duckdb.connect() as con:
        row = con.execute(
            f"select _seamline_unread_times from (select {macros()['unread_times'](texts)} from ("
            f"select *, {macros()['clock_readings'](clocks)} from (select {given or 1}, "
            "$1::varchar as sent_at)))",
            [sent_at],
        ).fetchone()

    assert row == (expected,)


def test_a_receipt_that_an_earlier_version_loaded_of_a_year_too_far_stops_no_table(
    built_house: House,
) -> None:
    built_house.land("screen", *(landed.line({"type": "screen", "messageId": one}) for one in "ab"))
    built_house.load()
    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        con.execute("update raw.screen set received_at = '2300-01-01' where message_id = 'b'")

    built_house.models("screen")

    rows = built_house.rows(
        "select message_id, _sdc_sequence is null from segment.screen order by 1"
    )
    assert rows == [("a", False), ("b", True)]
