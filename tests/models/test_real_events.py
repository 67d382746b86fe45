"""Events as real senders send them become the rows they have to be, under everybody's names."""

import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.export.run import export_parquet
from orchestration.settings import Settings
from orchestration.warehouse.catalog import DATABASE
from orchestration.warehouse.connection import CONFIG, load_extensions
from tests.support import landed
from tests.support.docs.pages import PAGES, Page
from tests.support.house import TABLES, House
from tests.support.real_events import EVENTS, RECEIVED_AT, WEB_ROW, at
from tests.support.warehouse import reading

pytestmark = pytest.mark.timeout(600)

RECEIPT = ("_sdc_", "_seamline_")


@pytest.fixture(scope="module")
def loaded(built_house: House) -> House:
    """All of them, in one load."""
    for table in TABLES:
        lines = [
            landed.line(event, received_at=RECEIVED_AT)
            for event, _ in EVENTS
            if event["type"] == table
        ]
        built_house.land(table, *lines)
    built_house.load()
    built_house.dbt("run")
    return built_house


def without_nulls(house: House, query: str) -> list[dict[str, Any]]:
    """Rows as dictionaries, without nulls and without how the row came here."""
    names = [name for name, *_ in house.rows(f"describe {query}")]
    return [
        {
            name: value
            for name, value in zip(names, row, strict=True)
            if value is not None and not name.startswith(RECEIPT)
        }
        for row in house.rows(query)
    ]


@pytest.fixture(scope="module")
def rows(loaded: House) -> dict[str, list[dict[str, Any]]]:
    """All rows, by table."""
    return {table: without_nulls(loaded, f'from segment."{table}"') for table in TABLES}


@pytest.mark.parametrize(("event", "expected"), EVENTS, ids=lambda one: one.get("messageId", ""))
def test_an_event_is_the_row_it_has_to_be(
    rows: dict[str, list[dict[str, Any]]], event: dict[str, Any], expected: dict[str, Any]
) -> None:
    (row,) = (row for row in rows[event["type"]] if row["message_id"] == event["messageId"])

    assert row == {"message_id": event["messageId"], "type": event["type"], **expected}


def test_an_array_of_objects_is_a_table(loaded: House) -> None:
    rows = loaded.rows(
        "select _sdc_source_key_message_id, _sdc_level_0_id, product_id, price, quantity, "
        "category_name from segment.track__properties__products order by all"
    )

    assert rows == [
        ("web-order", 0, "p1", 19.0, 1, "Hats"),
        ("web-order", 1, "p2", 8.5, None, None),
    ]


def test_an_array_in_an_objects_array_is_a_table_below_it(loaded: House) -> None:
    rows = loaded.rows(
        "select _sdc_source_key_message_id, _sdc_level_0_id, _sdc_level_1_id, value "
        "from segment.track__properties__products__tags order by all"
    )

    assert rows == [("web-order", 1, 0, "new"), ("web-order", 1, 1, "sale")]


def test_odd_names_make_tables_and_relations_like_any_other(loaded: House) -> None:
    assert loaded.rows("select c_d from segment.track__properties__a_b") == [(4,)]
    assert loaded.rows("select id, drop_table_track from segment_warehouse.it_s_1_0") == [
        ("odd-names", 3)
    ]


def test_an_array_of_scalars_is_a_table_of_values(loaded: House) -> None:
    assert loaded.rows(
        "select _sdc_source_key_message_id, value from segment.page__properties__keywords"
    ) == [("web-page", "hat"), ("web-page", "cap")]
    assert loaded.rows("select value from segment.track___metadata__bundled") == [("Segment.io",)]


def test_every_field_that_was_seen_is_listed_with_its_column(loaded: House) -> None:
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


def test_every_field_is_listed_with_the_relation_and_column_that_shows_it(loaded: House) -> None:
    """With the type that column has, which a relation lists likewise."""
    shown = loaded.rows(
        "select distinct relation, relation_column, lower(relation_type) from segment.field "
        "where relation is not null"
    )
    listed = loaded.rows(
        "select table_name, column_name, lower(data_type) from duckdb_columns() "
        "where schema_name = 'segment_warehouse'"
    )
    assert set(shown) - set(listed) == set()

    revenue = loaded.rows(
        "select distinct relation, relation_column, relation_type from segment.field "
        "where event = 'Order Completed' and path = 'properties.revenue'"
    )
    assert revenue == [("order_completed", "revenue", "varchar")]
    lacking = loaded.rows(
        "select call, path from segment.field where status = 'column' and relation is null "
        "and regexp_matches(path, '^(context|properties|traits)[.]') "
        "and table_name = call and (call <> 'track' or event is not null)"
    )
    assert lacking == []


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
        context__integration__name context__integration__version properties__order_id_d06a03e4
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
def test_a_table_has_the_columns_that_stitch_gave_it(loaded: House, table: str) -> None:
    """Those of a schema that Stitch made in 2018; beside ours there are more."""
    names = {name for name, *_ in loaded.rows(f'describe segment."{table}"')}

    assert set(STITCH[table].split()) - names == set()


COLUMNS_OF_PAGES = """
    id anonymous_id user_id received_at sent_at timestamp url path title search referrer
    context_campaign_source context_campaign_medium context_campaign_name context_campaign_term
    context_campaign_content context_ip context_user_agent
"""


def test_pages_has_the_columns_that_packages_for_segment_warehouses_read(loaded: House) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.pages")}

    assert set(COLUMNS_OF_PAGES.split()) - names == set()


def test_segments_shape_has_one_underscore_and_no_prefix(loaded: House) -> None:
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


def test_an_event_has_a_relation_with_its_own_properties_only(loaded: House) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.order_completed")}
    rows = loaded.rows(
        # the page sends `orderId`, the server `order_id`
        "select id, event, event_text, coalesce(order_id, order_id_d06a03e4), total, revenue, "
        "address_city "
        "from segment_warehouse.order_completed order by id desc"
    )

    assert "cold_start" not in names
    done = ("order_completed", "Order Completed")
    assert rows == [
        ("web-order", *done, "50314b8e", 27.5, "39.95", "London"),
        ("segment-order", *done, "a77", 30.0, "39.95", None),
    ]


def test_tracks_has_every_event_and_no_property(loaded: House) -> None:
    names = {name for name, *_ in loaded.rows("describe segment_warehouse.tracks")}
    events = loaded.rows("select event, event_text from segment_warehouse.tracks order by all")

    assert not [name for name in names if name in {"revenue", "total", "order_id"}]
    assert events == [
        ("application_opened", "Application Opened"),
        ("it_s_1_0", 'It\'s {{ 1 / 0 }}; "$$" %} -- \\'),
        ("order_completed", "Order Completed"),
        ("order_completed", "Order Completed"),
        ("product_viewed", "Product Viewed"),
        ("product_viewed", "Product Viewed"),
        ("signed_in", "Signed In"),
    ]


def test_users_and_accounts_have_the_latest_known_traits(loaded: House) -> None:
    """A later call that says nothing of a trait leaves it as it was."""
    users = loaded.rows(
        "select id, email, age, credit_available, unsubscribed from segment_warehouse.users"
    )
    accounts = loaded.rows("select id, name, employees, plan from segment_warehouse.accounts")

    assert users == [("u1", "p@shop.example", "thirty-four", 5.5, False)]
    assert accounts == [("g1", "Initech", 329, "enterprise")]


def _compiled(text: str) -> str:
    """What dbt makes of a model: its settings are gone, and relations have their names."""
    text = re.sub(r"\{\{ config\(.*?\) \}\}", "", text)
    return re.sub(r"\{\{ (?:ref|source)\((?:'segment', )?'(\w+)'\) \}\}", r"\1", text)


def statements_on(page: Page) -> list[str]:
    """What a page shows in SQL, and at the prompt `D `; `-- before` are statements for others."""
    blocks = re.findall(r"^D (.*)$", page.text, re.MULTILINE)
    blocks += [_compiled(block.text) for block in page.blocks("sql")]
    statements = [one.strip() for block in blocks for one in block.split(";\n") if one.strip()]
    return [one.removesuffix(";") for one in statements if not one.startswith("-- before")]


PAGES_WITH_SQL = [
    page
    for page in PAGES
    if page.name
    != "docs/time-travel.md"  # which wants a warehouse with a past: test_time_travel.py
    and statements_on(page)
]


@pytest.fixture(scope="module")
def exported(loaded: House, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables that were exported from Stitch and from Segment Warehouses, ours, and its copy."""
    folder = tmp_path_factory.mktemp("exported")
    with reading(loaded.settings) as con:
        for name, table in (
            ("stitch_history/page", "segment.page"),
            ("segment_history/pages", "segment_warehouse.pages"),
        ):
            (folder / name).mkdir(parents=True)
            con.execute(f"copy (from {table}) to '{folder / name}/old.parquet'")
    (folder / "warehouse").symlink_to(loaded.settings.catalog.parent)
    (folder / "share").mkdir()
    exporting = loaded.settings.model_dump() | {"export_parquet": folder / "exports"}
    assert list(export_parquet(Settings(**exporting)))
    with closing(sqlite3.connect(loaded.settings.catalog)) as catalog:
        catalog.execute(f"vacuum into '{folder}/share/catalog.sqlite'")
    return folder


def test_the_pages_have_queries_for_each_that_tests_know_of() -> None:
    assert {"README.md", "docs/reading.md", "docs/import.md", "docs/runbooks/erasure.md"} <= {
        page.name for page in PAGES_WITH_SQL
    }


@pytest.mark.parametrize("page", PAGES_WITH_SQL, ids=lambda page: page.name)
def test_every_statement_in_the_docs_runs(
    loaded: House, exported: Path, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(exported)
    own = duckdb.connect(config=CONFIG)
    with reading(loaded.settings) as prompt, own:
        prompt.execute(f"use {DATABASE}.segment")  # as `make sql` does
        con = prompt
        for statement in statements_on(page):
            if statement.startswith("attach"):  # from here on it is any DuckDB
                load_extensions(own)
                con = own
            con.execute(statement.replace("stitch_segment.", "segment."))
