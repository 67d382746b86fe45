"""Events as real senders send them, against rows written down by hand.

Web, iOS, Android and servers, with every variance that senders show: empty arrays in place of
objects, numbers as text and text as numbers, keys of any casing, times in any format.
"""

from datetime import datetime
from typing import Any

import landed
import pytest
from dbt_fixtures import TABLES, Lake

pytest_plugins = ("dbt_fixtures",)
pytestmark = pytest.mark.timeout(600)

RECEIVED_AT = "2026-11-22T05:24:46.500000Z"
RECEIPT = ("_sdc_", "_seamline_")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


WEB: dict[str, Any] = {
    "ip": "203.0.113.7",
    "library": {"name": "analytics.js", "version": "next-1.76.0"},
    "locale": "en-GB",
    "userAgent": "Mozilla/5.0",
    "timezone": "Europe/London",
    "page": {
        "path": "/hats",
        "referrer": "https://search.example/",
        "search": "?utm_campaign=gifts",
        "title": "Hats",
        "url": "https://shop.example/hats",
    },
    # a misspelt utm parameter is a field like any other
    "campaign": {"name": "gifts", "source": "mail", "camp": "x"},
    "userAgentData": {
        "brands": [{"brand": "Chromium", "version": "131"}, {"brand": "Not_A", "version": "24"}],
        "mobile": False,
        "platform": "Linux",
    },
}
WEB_ROW = {
    "context__ip": "203.0.113.7",
    "context__library__name": "analytics.js",
    "context__library__version": "next-1.76.0",
    "context__locale": "en-GB",
    "context__user_agent": "Mozilla/5.0",
    "context__timezone": "Europe/London",
    "context__page__path": "/hats",
    "context__page__referrer": "https://search.example/",
    "context__page__search": "?utm_campaign=gifts",
    "context__page__title": "Hats",
    "context__page__url": "https://shop.example/hats",
    "context__campaign__name": "gifts",
    "context__campaign__source": "mail",
    "context__campaign__camp": "x",
    "context__user_agent_data__brands": (
        '[{"brand":"Chromium","version":"131"},{"brand":"Not_A","version":"24"}]'
    ),
    "context__user_agent_data__mobile": False,
    "context__user_agent_data__platform": "Linux",
}

IOS: dict[str, Any] = {
    "app": {"name": "Shop", "version": "4.2", "build": "420", "namespace": "example.shop"},
    "device": {
        "id": "B5372DB0",
        "advertisingId": "7A3CBEA0",
        "adTrackingEnabled": True,
        "manufacturer": "Apple",
        "model": "iPhone15,2",
        "name": "iPhone",
        "type": "ios",
    },
    "library": {"name": "analytics-swift", "version": "1.5.11"},
    "network": {"bluetooth": False, "carrier": "Carrier", "cellular": False, "wifi": True},
    "os": {"name": "iOS", "version": "17.4"},
    "screen": {"width": 390, "height": 844, "density": 3},
    "traits": {"plan": "free", "logins": 3},
    "instanceId": "1F2A",
}
IOS_ROW = {
    "context__app__name": "Shop",
    "context__app__version": "4.2",
    "context__app__build": "420",
    "context__app__namespace": "example.shop",
    "context__device__id": "B5372DB0",
    "context__device__advertising_id": "7A3CBEA0",
    "context__device__ad_tracking_enabled": True,
    "context__device__manufacturer": "Apple",
    "context__device__model": "iPhone15,2",
    "context__device__name": "iPhone",
    "context__device__type": "ios",
    "context__library__name": "analytics-swift",
    "context__library__version": "1.5.11",
    "context__network__bluetooth": False,
    "context__network__carrier": "Carrier",
    "context__network__cellular": False,
    "context__network__wifi": True,
    "context__os__name": "iOS",
    "context__os__version": "17.4",
    "context__screen__width": 390.0,
    "context__screen__height": 844.0,
    "context__screen__density": 3.0,
    "context__traits__plan": "free",
    "context__traits__logins": 3,
    "context__instance_id": "1F2A",
}

# In the order in which they were received: the first value of a field decides its column's type.
EVENTS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {
            "type": "track",
            "messageId": "web-order",
            "anonymousId": "a1",
            "userId": "u1",
            "event": "Order Completed",
            "timestamp": "2026-11-22T05:24:45.909Z",
            "properties": {
                "orderId": "50314b8e",
                "total": 27.5,
                "revenue": "39.95",
                "coupon": None,
                "products": [
                    {"product_id": "p1", "price": 19, "quantity": 1, "Category Name": "Hats"},
                    {"product_id": "p2", "price": 8.5, "tags": ["new", "sale"]},
                ],
                "address": {"city": "London", "geo": {"lat": 51.5, "lng": 0}},
                "availability": {"28": {"quantity": 3}, "29": {"quantity": 0}},
            },
            "context": WEB,
            "integrations": {"All": True, "Actions Amplitude": {"session_id": 17}},
            "_metadata": {"bundled": ["Segment.io"], "unbundled": [], "nodeVersion": "20"},
        },
        {
            **WEB_ROW,
            "anonymous_id": "a1",
            "user_id": "u1",
            "event": "Order Completed",
            "timestamp": at("2026-11-22T05:24:45.909"),
            "original_timestamp": at("2026-11-22T05:24:45.909"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "integrations": '{"All":true,"Actions Amplitude":{"session_id":17}}',
            "_metadata__bundled": '["Segment.io"]',
            "_metadata__unbundled": "[]",
            "_metadata__node_version": "20",
            "properties__order_id": "50314b8e",
            "properties__total": 27.5,
            "properties__revenue": "39.95",
            "properties__products": (
                '[{"product_id":"p1","price":19,"quantity":1,"Category Name":"Hats"},'
                '{"product_id":"p2","price":8.5,"tags":["new","sale"]}]'
            ),
            "properties__address__city": "London",
            "properties__address__geo__lat": 51.5,
            "properties__address__geo__lng": 0,
            "properties__availability": '{"28":{"quantity":3},"29":{"quantity":0}}',
        },
    ),
    (
        {  # through Segment's webhook: corrected there
            "type": "track",
            "messageId": "segment-order",
            "anonymousId": None,
            "userId": 1017,
            "channel": "server",
            "event": "Order Completed",
            "version": 2,
            "projectId": "5Tf8kR",
            "originalTimestamp": "2020-05-09 23:54:49.209808489 +0000 UTC m=+70366.298768264",
            "timestamp": "2020-05-09T23:54:50.209Z",
            "receivedAt": "2020-05-09T23:54:51.862826965Z",
            "properties": {
                "order_id": "a77",
                "total": 30,
                "revenue": 39.95,
                "Shipping Method": "mail",
                "products": [],
                "address": "London",
                "code": 18446744073709551615,
                "ratio": 1e-7,
            },
            "context": {"ip": "203.0.113.9", "active": True, "traits": None, "app": None},
            "integrations": {},
        },
        {
            "user_id": "1017",
            "channel": "server",
            "event": "Order Completed",
            "version": 2.0,
            "project_id": "5Tf8kR",
            "timestamp": at("2020-05-09T23:54:50.209"),
            "original_timestamp": at("2020-05-09T23:54:49.209808"),
            "received_at": at("2020-05-09T23:54:51.862826"),
            "context__ip": "203.0.113.9",
            "context__active": True,
            "integrations": "{}",
            "properties__order_id": "a77",
            "properties__total": 30.0,
            "properties__revenue__double": 39.95,
            "properties__shipping_method": "mail",
            "properties__products": "[]",
            "properties__address": "London",
            "properties__code": "18446744073709551615",
            "properties__ratio": 1e-7,
        },
    ),
    (
        {  # PHP: an empty array encodes as a list
            "type": "track",
            "messageId": "php-login",
            "userId": "u3",
            "event": "Signed In",
            "version": "1.1",
            "timestamp": "2015-2-02T00:30:08.276Z",
            "properties": [],
            "context": [],
            "integrations": [],
        },
        {
            "user_id": "u3",
            "event": "Signed In",
            "version": 1.1,
            "timestamp": at("2015-02-02T00:30:08.276"),
            "original_timestamp": at("2015-02-02T00:30:08.276"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "integrations": "[]",
            "properties": "[]",
            "context": "[]",
        },
    ),
    (
        {
            "type": "track",
            "messageId": "android-open",
            "anonymousId": "a4",
            "event": "Application Opened",
            "timestamp": "0001-01-01T00:00:00Z",
            "properties": {"from_background": "false", "cold start": True, "": 1, "注文": "x"},
            "context": None,
            "integrations": None,
            "email": "p@shop.example",
        },
        {
            "anonymous_id": "a4",
            "event": "Application Opened",
            "timestamp": at("0001-01-01T00:00:00"),
            "original_timestamp": at("0001-01-01T00:00:00"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "email": "p@shop.example",
            "properties__from_background": "false",
            "properties__cold_start": True,
            "properties__empty": 1,
            "properties__注文": "x",
        },
    ),
    (
        {
            "type": "page",
            "messageId": "web-page",
            "anonymousId": "a1",
            "name": "Hats",
            "category": "Catalogue",
            "properties": {
                "path": "/hats",
                "referrer": "",
                "search": "",
                "title": "Hats",
                "url": "https://shop.example/hats",
                "keywords": ["hat", "cap"],
            },
            "context": WEB,
        },
        {
            **WEB_ROW,
            "anonymous_id": "a1",
            "name": "Hats",
            "category": "Catalogue",
            "timestamp": at("2026-11-22T05:24:46.5"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "properties__path": "/hats",
            "properties__referrer": "",
            "properties__search": "",
            "properties__title": "Hats",
            "properties__url": "https://shop.example/hats",
            "properties__keywords": '["hat","cap"]',
        },
    ),
    (
        {
            "type": "screen",
            "messageId": "ios-screen",
            "anonymousId": "a2",
            "name": "Cart",
            "properties": {"variation": "blue"},
            "context": IOS,
        },
        {
            **IOS_ROW,
            "anonymous_id": "a2",
            "name": "Cart",
            "timestamp": at("2026-11-22T05:24:46.5"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "properties__variation": "blue",
        },
    ),
    (
        {
            "type": "identify",
            "messageId": "python-identify",
            "userId": "u1",
            "timestamp": "2026-11-22T05:24:44.123456+00:00",
            "traits": {
                "email": "p@shop.example",
                "createdAt": "2026-01-02T03:04:05Z",
                "age": 34,
                "company": {"name": "Initech", "employee_count": 12},
                "credit_available": 5,
            },
            "context": {"library": {"name": "analytics-python", "version": "2.3.5"}},
        },
        {
            "user_id": "u1",
            "timestamp": at("2026-11-22T05:24:44.123456"),
            "original_timestamp": at("2026-11-22T05:24:44.123456"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "context__library__name": "analytics-python",
            "context__library__version": "2.3.5",
            "traits__email": "p@shop.example",
            "traits__created_at": "2026-01-02T03:04:05Z",
            "traits__age": 34,
            "traits__company__name": "Initech",
            "traits__company__employee_count": 12,
            "traits__credit_available": 5,
        },
    ),
    (
        {
            "type": "identify",
            "messageId": "ruby-identify",
            "userId": "u1",
            "traits": {"age": "thirty-four", "credit_available": 5.5, "unsubscribed": False},
        },
        {
            "user_id": "u1",
            "timestamp": at("2026-11-22T05:24:46.5"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "traits__age__string": "thirty-four",
            "traits__credit_available__double": 5.5,
            "traits__unsubscribed": False,
        },
    ),
    (
        {
            "type": "group",
            "messageId": "node-group",
            "userId": "u1",
            "groupId": "g1",
            "traits": {"name": "Initech", "employees": 329, "plan": "enterprise"},
        },
        {
            "user_id": "u1",
            "group_id": "g1",
            "timestamp": at("2026-11-22T05:24:46.5"),
            "received_at": at("2026-11-22T05:24:46.5"),
            "traits__name": "Initech",
            "traits__employees": 329,
            "traits__plan": "enterprise",
        },
    ),
    (
        {"type": "alias", "messageId": "go-alias", "previousId": "a1", "userId": "u1"},
        {
            "user_id": "u1",
            "previous_id": "a1",
            "timestamp": at("2026-11-22T05:24:46.5"),
            "received_at": at("2026-11-22T05:24:46.5"),
        },
    ),
]


@pytest.fixture(scope="module")
def loaded(lake: Lake) -> Lake:
    """All of them, in one load."""
    for table in TABLES:
        lines = [
            landed.line(event, received_at=RECEIVED_AT)
            for event, _ in EVENTS
            if event["type"] == table
        ]
        lake.land(table, *lines)
    lake.load()
    lake.dbt("run")
    return lake


def without_nulls(lake: Lake, query: str) -> list[dict[str, Any]]:
    """Rows as dictionaries, without nulls and without how the row came here."""
    names = [name for name, *_ in lake.rows(f"describe {query}")]
    return [
        {
            name: value
            for name, value in zip(names, row, strict=True)
            if value is not None and not name.startswith(RECEIPT)
        }
        for row in lake.rows(query)
    ]


@pytest.mark.parametrize(("event", "expected"), EVENTS, ids=lambda one: one.get("messageId", ""))
def test_an_event_is_the_row_it_has_to_be(
    loaded: Lake, event: dict[str, Any], expected: dict[str, Any]
) -> None:
    query = f"from segment.\"{event['type']}\" where message_id = '{event['messageId']}'"
    (row,) = without_nulls(loaded, query)

    assert row == {"message_id": event["messageId"], "type": event["type"], **expected}


def test_an_array_of_objects_is_a_table(loaded: Lake) -> None:
    rows = loaded.rows(
        "select _sdc_source_key_message_id, _sdc_level_0_id, product_id, price, quantity, "
        "category_name from segment.track__properties__products order by all"
    )

    assert rows == [
        ("web-order", 0, "p1", 19.0, 1, "Hats"),
        ("web-order", 1, "p2", 8.5, None, None),
    ]


def test_an_array_in_an_objects_array_is_a_table_below_it(loaded: Lake) -> None:
    rows = loaded.rows(
        "select _sdc_source_key_message_id, _sdc_level_0_id, _sdc_level_1_id, value "
        "from segment.track__properties__products__tags order by all"
    )

    assert rows == [("web-order", 1, 0, "new"), ("web-order", 1, 1, "sale")]


def test_an_array_of_scalars_is_a_table_of_values(loaded: Lake) -> None:
    assert loaded.rows(
        "select _sdc_source_key_message_id, value from segment.page__properties__keywords"
    ) == [("web-page", "hat"), ("web-page", "cap")]
    assert loaded.rows("select value from segment.track___metadata__bundled") == [("Segment.io",)]


def test_every_field_that_was_seen_is_listed_with_its_column(loaded: Lake) -> None:
    rows = loaded.rows(
        "select event, path, type, status, column_name, column_type, count from segment.field "
        "where call = 'track' and path in ('properties.revenue', 'properties.availability', "
        "'properties.address', 'userId') and (event = 'Order Completed' or event is null) "
        "order by path, type"
    )

    done = "Order Completed"
    assert rows == [
        (done, "properties.address", "object", "nested", None, None, 1),
        (done, "properties.address", "string", "column", "properties__address", "varchar", 1),
        (done, "properties.availability", "map", "column", "properties__availability", "json", 1),
        (done, "properties.availability", "object", "nested", None, None, 1),
        (
            done,
            "properties.revenue",
            "double",
            "column",
            "properties__revenue__double",
            "double",
            1,
        ),
        (done, "properties.revenue", "string", "column", "properties__revenue", "varchar", 1),
        (None, "userId", "bigint", "column", "user_id", "varchar", 1),
        (None, "userId", "string", "column", "user_id", "varchar", 2),
    ]


STITCH = {
    "page": """
        _sdc_batched_at _sdc_received_at _sdc_sequence _sdc_table_version anonymous_id channel
        message_id received_at sent_at timestamp type user_id version context__campaign__camp
        context__campaign__content context__campaign__medium context__campaign__name
        context__campaign__source context__campaign__term context__ip context__library__name
        context__library__version context__page__path context__page__referrer context__page__search
        context__page__title context__page__url context__user_agent properties__path
        properties__referrer properties__search properties__title properties__url
    """,
    "screen": """
        _sdc_batched_at _sdc_received_at _sdc_sequence _sdc_table_version anonymous_id channel
        message_id received_at sent_at timestamp type user_id version name context__app__build
        context__app__name context__app__namespace context__app__version
        context__device__ad_tracking_enabled context__device__advertising_id context__device__id
        context__device__manufacturer context__device__model context__device__type context__ip
        context__library__name context__library__version context__locale
        context__network__bluetooth context__network__carrier context__network__cellular
        context__network__wifi context__os__name context__os__version context__screen__height
        context__screen__width context__timezone context__traits__plan properties__variation
    """,
    "identify": """
        _sdc_batched_at _sdc_received_at _sdc_sequence _sdc_table_version anonymous_id channel
        message_id received_at sent_at timestamp type user_id version context__active
        traits__email traits__created_at traits__company__name traits__credit_available
    """,
    "track": """
        _sdc_batched_at _sdc_received_at _sdc_sequence _sdc_table_version anonymous_id channel
        message_id received_at sent_at timestamp type user_id version event
        context__integration__name context__integration__version properties__order_id
        properties__total properties__revenue
    """,
    "alias": """
        _sdc_batched_at _sdc_received_at _sdc_sequence _sdc_table_version anonymous_id channel
        message_id received_at sent_at timestamp type user_id version previous_id
    """,
    "track__properties__products": """
        _sdc_batched_at _sdc_level_0_id _sdc_received_at _sdc_sequence _sdc_source_key_message_id
        _sdc_table_version price quantity
    """,
    "_sdc_rejected": "_sdc_rejected_at table_name reason record",
}


@pytest.mark.parametrize("table", STITCH)
def test_a_table_has_the_columns_that_stitch_gave_it(loaded: Lake, table: str) -> None:
    """Those of a schema that Stitch made in 2018; beside ours there are more."""
    names = {name for name, *_ in loaded.rows(f'describe segment."{table}"')}

    assert set(STITCH[table].split()) - names == set()


PAGES = """
    id anonymous_id user_id received_at sent_at timestamp url path title search referrer
    context_campaign_source context_campaign_medium context_campaign_name context_campaign_term
    context_campaign_content context_ip context_user_agent
"""


def test_pages_has_the_columns_that_packages_for_segment_warehouses_read(loaded: Lake) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.pages")}

    assert set(PAGES.split()) - names == set()


def test_segments_shape_has_one_underscore_and_no_prefix(loaded: Lake) -> None:
    (row,) = without_nulls(loaded, "from segment_warehouse.pages")
    for name in ("uuid_ts", "loaded_at"):
        assert isinstance(row.pop(name), datetime)

    assert row == {
        **{name.replace("__", "_"): value for name, value in WEB_ROW.items()},
        "id": "web-page",
        "anonymous_id": "a1",
        "name": "Hats",
        "category": "Catalogue",
        "timestamp": at("2026-11-22T05:24:46.5"),
        "received_at": at("2026-11-22T05:24:46.5"),
        "path": "/hats",
        "referrer": "",
        "search": "",
        "title": "Hats",
        "url": "https://shop.example/hats",
        "keywords": '["hat","cap"]',
    }


def test_an_event_has_a_relation_with_its_own_properties_only(loaded: Lake) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.order_completed")}
    rows = loaded.rows(
        "select id, event, event_text, order_id, total, revenue, revenue_double, address_city "
        "from segment_warehouse.order_completed order by id desc"
    )

    assert "cold_start" not in names
    done = ("order_completed", "Order Completed")
    assert rows == [
        ("web-order", *done, "50314b8e", 27.5, "39.95", None, "London"),
        ("segment-order", *done, "a77", 30.0, None, 39.95, None),
    ]


def test_tracks_has_every_event_and_no_property(loaded: Lake) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.tracks")}
    events = loaded.rows("select event, event_text from segment_warehouse.tracks order by all")

    assert not [name for name in names if name in {"revenue", "total", "order_id"}]
    assert events == [
        ("application_opened", "Application Opened"),
        ("order_completed", "Order Completed"),
        ("order_completed", "Order Completed"),
        ("signed_in", "Signed In"),
    ]


def test_users_and_accounts_have_the_latest_known_traits(loaded: Lake) -> None:
    """A later call that says nothing of a trait leaves it as it was."""
    users = loaded.rows(
        "select id, email, age, age_string, credit_available, credit_available_double, "
        "unsubscribed from segment_warehouse.users"
    )
    accounts = loaded.rows("select id, name, employees, plan from segment_warehouse.accounts")

    assert users == [("u1", "p@shop.example", 34, "thirty-four", 5, 5.5, False)]
    assert accounts == [("g1", "Initech", 329, "enterprise")]
