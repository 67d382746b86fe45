"""What became of what was received: each event of a day is in one column, and in one only."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from click.testing import CliRunner

from landed import not_stored
from orchestration.__main__ import cli
from orchestration.audit.delivery import Delivery, delivery
from orchestration.warehouse.connection import connect
from tests.support import landed
from tests.support.house import House

DAY = date(2026, 11, 22)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

PARTS = ("shut_out", "suppressed", "rejected", "waiting", "duplicate", "rows", "raw_only")


def track(message_id: str, event: str, hour: int = 5, source: str = "web") -> bytes:
    return landed.line(
        {"messageId": message_id, "type": "track", "event": event},
        received_at=f"2026-11-22T{hour:02}:24:46.123456Z",
        source=source,
    )


@pytest.fixture(scope="module")
def delivered(built_house: House) -> House:
    """Two names, one of which is seldom, of two sources; copies, rejects, what waits, and more."""
    house = built_house
    bought = [track(f"b{number}", "Bought") for number in range(12)]
    house.land("track", *bought, bought[0], track("s1", "Seldom"), b"damaged\n")
    house.land("track", track("a1", "Bought", source="app"), track("b1", "Bought", 7, "app"))
    house.land("rejected", landed.rejected_line(b"{", call="track"))
    house.land("delete", landed.line({"type": "delete"}, message_id="gone"))
    house.land("page", landed.line({"type": "page"}, message_id="p1"))
    not_stored.add(house.landing, NOON, {"web": {"shut_out": 4, "suppressed": 2, "throttled": 9}})
    house.load()
    house.models("track", "page")
    house.land("track", track("later", "Bought"), track("b2", "Bought"))
    house.load()
    house.land("page", landed.line({"type": "page"}, message_id="p2"))
    house.run("load")
    return house


def seen(house: House, **more: Any) -> dict[tuple[str, str | None, str | None], Delivery]:
    with connect(house.settings, read_only=True) as con:
        found = delivery(con, house.settings, DAY, **more)
    return {(one.source, one.call, one.event): one for one in found.deliveries}


def test_what_was_received_is_in_one_column_each(delivered: House) -> None:
    columns = " + ".join(PARTS)
    wrong = delivered.rows(f"from segment.delivery where received <> {columns}")

    assert wrong == []
    assert all(
        one.received == sum(getattr(one, name) for name in PARTS)
        for one in seen(delivered).values()
    )


def test_each_name_has_its_rows_and_copies(delivered: House) -> None:
    found = seen(delivered)

    assert found["web", "track", "Bought"].rows == 13
    assert found["web", "track", "Bought"].duplicate == 2
    assert found["app", "track", "Bought"].rows == 1
    assert found["app", "track", "Bought"].duplicate == 1  # of a row of another source


def test_a_name_that_few_events_have_is_with_the_others_as_are_rejects(delivered: House) -> None:
    found = seen(delivered)

    assert (found["web", "track", None].rows, found["web", "track", None].rejected) == (1, 1)
    assert found["unknown", "track", None].rejected == 1  # it does not say whose it is


def test_its_sums_are_those_of_completeness(delivered: House) -> None:
    columns = "call, source, sum(received), sum(rejected), sum(waiting), sum(duplicate), sum(rows)"
    of_days = delivered.rows(
        f"select {columns} from segment.delivery where call is not null group by all order by all"
    )
    counts = columns.replace("sum(duplicate)", "coalesce(sum(duplicate), 0)")
    counts = counts.replace("sum(rows)", "coalesce(sum(rows), 0)")

    assert of_days == delivered.rows(
        f"select {counts} from segment.completeness group by all order by all"
    )


def scans(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "Table" in node["extra_info"]:
        yield node["extra_info"]
    for child in node["children"]:
        yield from scans(child)


def test_of_a_day_no_row_of_another_is_asked_whether_it_is_a_copy(delivered: House) -> None:
    """It is looked at four times an hour, and the table grows for years."""
    query = "from segment.delivery where day = timestamp '2026-11-22' and call is not null"
    ((_, plan),) = delivered.rows(f"explain (format json) {query}")

    compared = [
        scan
        for (top,) in [json.loads(plan)]
        for scan in scans(top)
        if {"line", "_seamline_line"} & set(scan["Projections"])
    ]
    assert len(compared) == 2
    assert all("2026-11-22" in str(scan.get("Filters")) for scan in compared)


def test_it_says_how_soon_rows_were_shown(delivered: House) -> None:
    found = seen(delivered)["web", "page", None]

    assert found.rows == 2
    assert 0 < found.lag_p50_seconds <= found.lag_p95_seconds


def test_what_was_not_stored_is_in_the_view_and_in_the_command(delivered: House) -> None:
    ((received, shut_out, suppressed, throttled),) = delivered.rows(
        "select received, shut_out, suppressed, throttled_requests from segment.delivery "
        "where call is null"
    )
    assert (received, shut_out, suppressed, throttled) == (6, 4, 2, 9)

    not_stored.add(delivered.landing, NOON, {"app": {"shut_out": 1}})

    assert seen(delivered)["web", None, None].throttled_requests == 9
    assert seen(delivered)["app", None, None].shut_out == 1  # nothing was loaded since


def test_no_more_names_are_shown_than_were_asked_for(delivered: House) -> None:
    found = seen(delivered, most=0)

    assert ("web", "track", "Bought") not in found
    assert found["web", "track", None].rows == 14


def test_the_command_says_it_of_a_day_and_a_source(
    delivered: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered.put_into(monkeypatch)

    shown = CliRunner().invoke(cli, ["delivery", "--day", "2026-11-22", "--source", "web"])
    as_json = CliRunner().invoke(cli, ["delivery", "--day", "2026-11-22", "--json"])
    other = CliRunner().invoke(cli, ["delivery", "--day", "2026-11-21"])

    head, *rows = shown.stdout.splitlines()[1:]
    assert head.split()[:4] == ["source", "call", "event", "received"]
    assert {row.split()[0] for row in rows} == {"web"}
    assert any("Bought" in row for row in rows)
    assert {"web", "app"} < {one["source"] for one in json.loads(as_json.stdout)["deliveries"]}
    assert "Nothing was received on 2026-11-21" in other.stdout
