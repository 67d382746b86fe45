"""What becomes of an event's fields: typed columns, whatever shape they came in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import TABLES, House

pytestmark = pytest.mark.timeout(600)

RECEIVED_AT = "2026-11-22T05:24:46.123456Z"

THROUGH_SEGMENT = {
    "type": "page",
    "messageId": "ajs-022bb90c-bbac-11e4-8dfc-aa07a5b093db",
    "anonymousId": "507f191e810c19729de860ea",
    "userId": "97980cfea0067",
    "channel": "browser",
    "version": 2,
    "projectId": "5Tf8kR",
    "name": "Home",
    "category": None,
    "properties": {"path": "/", "keywords": ["a", "b"]},
    "integrations": {"All": True, "Mixpanel": False},
    "timestamp": "2015-02-23T22:28:55.111Z",
    "originalTimestamp": "2015-02-23T22:28:54.000Z",
    "sentAt": "2015-02-23T22:28:55.000Z",
    "receivedAt": "2015-02-23T22:28:55.387Z",
    "_metadata": {"bundled": ["Segment.io"]},
    "context": {
        "active": True,
        "app": {"name": "InitechGlobal", "version": "545", "build": "3.0.1.545"},
        "campaign": {"name": "TPS Innovation Newsletter", "source": "Newsletter"},
        "consent": {"categoryPreferences": {"Advertising": True}},
        "device": {"id": "B5372DB0", "adTrackingEnabled": True, "type": "ios"},
        "ip": "8.8.8.8",
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "locale": "nl-NL",
        "location": {"city": "San Francisco", "latitude": 40.2964197, "longitude": "-76.9411617"},
        "network": {"bluetooth": False, "carrier": "T-Mobile NL", "wifi": True},
        "os": {"name": "iPhone OS", "version": "8.1.3"},
        "page": {"path": "/academy/", "url": "https://segment.com/academy/", "title": "Academy"},
        "screen": {"width": 320, "height": 568, "density": 2},
        "timezone": "Europe/Amsterdam",
        "traits": {"email": "p@example.com"},
        "userAgent": "Mozilla/5.0",
        "userAgentData": {"brands": [{"brand": "Chromium", "version": "117"}], "mobile": False},
    },
}

BAD_SHAPES: list[Any] = [
    {"context": []},
    {"context": None, "integrations": []},
    {"context": "web", "integrations": "none", "traits": 1, "properties": "none"},
    {"context": {"page": [], "app": None, "ip": {"v4": "10.0.0.1"}, "location": "here"}},
    {"context": {"screen": {"width": "wide", "height": [], "density": 1e999}}},
    {"context": {"network": {"wifi": "maybe", "cellular": 2}, "device": "phone"}},
    {"version": "1.1", "userId": 12, "anonymousId": False},
    {"version": [1], "userId": ["a"], "anonymousId": {"id": 1}},
    {"timestamp": 1700000000, "originalTimestamp": {}, "receivedAt": "never"},
    {"timestamp": "infinity", "receivedAt": "0001-01-01T00:00:00Z"},
    {"timestamp": "9999-12-31T23:59:59Z", "originalTimestamp": "0001-01-01T00:00:00Z"},
    {"event": {"name": "x"}, "name": 7, "category": [], "groupId": 1.5, "previousId": None},
    {"userid": "a", "USERID": "b", "userId": "c"},
    {"userId": "a\u0000b", "event": "\U0001f600", "name": "\u202e"},
    {},
]
WIDE = {"properties": {str(n): {"x": "y" * 10} for n in range(2_000)}}
"""More names than a table has columns for; one call's table alone, as it costs each look at it."""


@pytest.fixture(scope="module")
def loaded(built_house: House) -> House:
    """One event as Segment delivers it, and every bad shape in every table."""
    sent_at = THROUGH_SEGMENT["sentAt"]
    assert isinstance(sent_at, str)
    built_house.land("page", landed.line(THROUGH_SEGMENT, sent_at=sent_at, source="website"))
    for call in TABLES:
        bad = [
            landed.line(shape, message_id=f"bad-{n}", received_at=RECEIVED_AT, sent_at="soon")
            for n, shape in enumerate(BAD_SHAPES)
        ]
        lists = landed.line("[1, 2]", message_id="a list", received_at=RECEIVED_AT)
        built_house.land(call, *bad, lists)
    wide = landed.line(WIDE, message_id="bad-wide", received_at=RECEIVED_AT)
    built_house.land("screen", wide)
    built_house.load()
    built_house.dbt("run")
    return built_house


def one(house: House, table: str, message_id: str) -> dict[str, Any]:
    """A row, without the columns that are null."""
    names = [name for name, *_ in house.rows(f'describe segment."{table}"')]
    (row,) = house.rows(f"select * from segment.\"{table}\" where message_id = '{message_id}'")
    return {name: value for name, value in zip(names, row, strict=True) if value is not None}


def test_an_event_as_segment_delivers_it(loaded: House) -> None:
    row = one(loaded, "page", str(THROUGH_SEGMENT["messageId"]))
    received_at = datetime.fromisoformat(RECEIVED_AT).astimezone(UTC)
    batched_at = row.pop("_sdc_batched_at")
    file = row.pop("_seamline_file")

    assert (datetime.now(UTC).replace(tzinfo=None) - batched_at).total_seconds() < 600
    assert file.endswith(".ndjson")
    assert row == {
        "message_id": "ajs-022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "type": "page",
        "anonymous_id": "507f191e810c19729de860ea",
        "user_id": "97980cfea0067",
        "channel": "browser",
        "version": 2.0,
        "project_id": "5Tf8kR",
        "name": "Home",
        "properties__path": "/",
        "properties__keywords": '["a","b"]',
        "integrations": '{"All":true,"Mixpanel":false}',
        "timestamp": datetime(2015, 2, 23, 22, 28, 55, 111_000),  # noqa: DTZ001 - UTC, as stored
        "original_timestamp": datetime(2015, 2, 23, 22, 28, 54),  # noqa: DTZ001
        "sent_at": datetime(2015, 2, 23, 22, 28, 55),  # noqa: DTZ001
        "received_at": datetime(2015, 2, 23, 22, 28, 55, 387_000),  # noqa: DTZ001
        "_metadata__bundled": '["Segment.io"]',
        "context__active": True,
        "context__app__build": "3.0.1.545",
        "context__app__name": "InitechGlobal",
        "context__app__version": "545",
        "context__campaign__name": "TPS Innovation Newsletter",
        "context__campaign__source": "Newsletter",
        "context__consent__category_preferences": '{"Advertising":true}',
        "context__device__ad_tracking_enabled": True,
        "context__device__id": "B5372DB0",
        "context__device__type": "ios",
        "context__ip": "8.8.8.8",
        "context__library__name": "analytics.js",
        "context__library__version": "2.11.1",
        "context__locale": "nl-NL",
        "context__location__city": "San Francisco",
        "context__location__latitude": 40.2964197,
        "context__location__longitude": -76.9411617,
        "context__network__bluetooth": False,
        "context__network__carrier": "T-Mobile NL",
        "context__network__wifi": True,
        "context__os__name": "iPhone OS",
        "context__os__version": "8.1.3",
        "context__page__path": "/academy/",
        "context__page__title": "Academy",
        "context__page__url": "https://segment.com/academy/",
        "context__screen__density": 2.0,
        "context__screen__height": 568.0,
        "context__screen__width": 320.0,
        "context__timezone": "Europe/Amsterdam",
        "context__traits__email": "p@example.com",
        "context__user_agent": "Mozilla/5.0",
        "context__user_agent_data__brands": '[{"brand":"Chromium","version":"117"}]',
        "context__user_agent_data__mobile": False,
        "_sdc_received_at": received_at.replace(tzinfo=None),
        "_sdc_sequence": int(received_at.timestamp()) * 10**9 + 123_456_001,
        "_sdc_table_version": 1,
        "_seamline_source": "website",
        "_seamline_load_id": 1,
        "_seamline_line": 1,
    }


@pytest.mark.parametrize("table", TABLES)
def test_no_shape_fails_the_run_and_every_message_is_a_row(loaded: House, table: str) -> None:
    ((bad,),) = loaded.rows(
        f"select count(*) from segment.\"{table}\" where message_id = 'a list' "
        "or starts_with(message_id, 'bad-')"
    )

    assert bad == len(BAD_SHAPES) + 1 + (table == "screen")


def test_a_value_that_fits_is_kept_beside_one_that_does_not(loaded: House) -> None:
    rows = loaded.rows(
        "select message_id, user_id, version, context__ip, context__network__cellular "
        "from segment.track"
    )

    assert {
        ("bad-0", None, None, None, None),
        ("bad-3", None, None, None, None),
        ("bad-5", None, None, None, None),
        ("bad-6", "12", 1.1, None, None),
        ("bad-7", None, None, None, None),
        ("bad-12", "c", None, None, None),
        ("bad-13", "a\ufffdb", None, None, None),
    } <= set(rows)


def test_a_value_that_does_not_fit_is_in_a_column_beside_it(loaded: House) -> None:
    assert one(loaded, "track", "bad-3")["context__ip__v4"] == "10.0.0.1"
    assert one(loaded, "track", "bad-5")["context__network__cellular__bigint"] == 2
    assert one(loaded, "track", "bad-5")["context__network__wifi__string"] == "maybe"
    assert one(loaded, "track", "bad-7")["user_id__json"] == '["a"]'
    assert one(loaded, "track", "bad-2")["context__string"] == "web"  # a list came first


def test_every_time_is_one_a_client_can_hold(loaded: House) -> None:
    """Fetching them is the test: a year outside 1 to 9999 is no Python datetime."""
    for table in TABLES:
        for times in loaded.rows(f'select timestamp, received_at from segment."{table}"'):
            assert all(isinstance(time, datetime) for time in times)


def test_json_columns_are_json_and_every_column_says_what_it_is(loaded: House) -> None:
    columns = loaded.rows(
        "select table_name, column_name, data_type, comment from duckdb_columns() "
        "where schema_name = 'segment' and table_name in (select unnest($1))",
        [list(TABLES)],
    )

    assert {name for _, name, kind, _ in columns if kind == "JSON"} >= {
        "integrations",
        "context__user_agent_data__brands",
    }
    assert [(table, name) for table, name, _, comment in columns if not comment] == []


@pytest.mark.long
def test_a_table_or_view_that_is_made_anew_says_what_it_is(loaded: House) -> None:
    table = (
        "select comment from duckdb_tables() where schema_name = 'segment' "
        "and table_name = 'group' union all select comment from duckdb_columns() "
        "where schema_name = 'segment' and table_name = 'group'"
    )
    view = (
        "select comment from duckdb_views() where schema_name = 'segment_warehouse' "
        "and view_name = 'groups'"
    )
    comments, ((of_view,),) = loaded.rows(table), loaded.rows(view)
    with writer_lock(loaded.settings), connect(loaded.settings) as con:
        con.execute("create or replace view segment_warehouse.groups as select 1 as other")
        said = of_view.replace("'", "''")
        con.execute(f"comment on view segment_warehouse.groups is '{said}'")

    loaded.dbt("run", "--full-refresh", "--select", "group", "groups")

    assert loaded.rows(table) == comments
    assert loaded.rows(view) == [(of_view,)]
    assert loaded.rows("select group_id from segment_warehouse.groups limit 1")


def test_dbts_unit_tests_hold(loaded: House) -> None:
    assert "ERROR=0" in loaded.dbt("test", "--select", "test_type:unit")
