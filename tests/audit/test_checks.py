"""The checks that say what somebody should look at, and what each of them takes for usual."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from landed import not_stored
from orchestration.audit import checks
from orchestration.audit.checks import Found, Look, look_at
from orchestration.models import back_off
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed

NOW = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
LAST_HOUR = datetime(2026, 11, 22, 4)  # noqa: DTZ001 - the warehouse's timestamps have no zone

Made = Callable[[Look], Found]


class Warehouse:
    """A warehouse whose counts a test writes."""

    def __init__(self, con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
        """Take one with empty raw tables."""
        self.con, self.settings = con, settings

    def counted(self, source: str, hour: datetime, received: int, **more: int) -> None:
        """Let an hour of a source have these counts."""
        row = {"call": "track", "source": source, "hour": hour, "received": received} | more
        self.insert("completeness", row)

    def insert(self, table: str, row: dict[str, Any], times: int = 1) -> None:
        """Add a row to a raw table."""
        columns = ", ".join(f'${name} as "{name}"' for name in row)
        self.con.execute(
            f'insert into raw."{table}" by name select {columns} from range({times})', row
        )

    def found(self, check: Made, **settings: object) -> Found:
        """Make a check, with other limits than the defaults."""
        limited = self.settings.model_copy(update=settings)
        return check(look_at(self.con, limited, NOW))


@pytest.fixture
def warehouse(made_warehouse: Settings) -> Iterator[Warehouse]:
    """One of a test's own."""
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        yield Warehouse(con, made_warehouse)


def weeks_before(warehouse: Warehouse, source: str, *received: int) -> None:
    for back, number in enumerate(received, 1):
        warehouse.counted(source, LAST_HOUR - timedelta(weeks=back), number)


def test_of_a_warehouse_without_events_nothing_is_wrong(warehouse: Warehouse) -> None:
    for check in checks.CHECKS:
        assert warehouse.found(check.look, alarm_free_share=1e-9).problems == [], check.name


def test_each_check_says_what_it_is_in_a_sentence() -> None:
    for check in checks.CHECKS:
        assert check.description.endswith("."), check.name
        assert "\n" not in check.description, check.name


def test_a_source_that_always_sends_in_this_hour_is_missed(warehouse: Warehouse) -> None:
    weeks_before(warehouse, "web", 20, 14, 16, 18)

    (problem,) = warehouse.found(checks.sources_send).problems

    assert problem.startswith("web sent nothing in the last whole hour, and usually about 17")


@pytest.mark.parametrize(
    ("case", "received"),
    [
        ("it is quiet in this hour now and then", (20, 0, 16, 18)),
        ("it sends so little that chance may be why", (2, 3, 2, 1)),
        ("it is too new to have habits", (20, 20)),
    ],
)
def test_a_quiet_source_is_no_alarm(
    warehouse: Warehouse, case: str, received: tuple[int, ...]
) -> None:
    weeks_before(warehouse, "web", *received)

    assert warehouse.found(checks.sources_send).problems == [], case


def test_a_source_of_a_few_days_is_compared_with_the_days_before(warehouse: Warehouse) -> None:
    for back in (1, 2, 3):
        warehouse.counted("web", LAST_HOUR - timedelta(days=back), 30)

    assert len(warehouse.found(checks.sources_send).problems) == 1


def test_other_hours_of_the_day_say_nothing_of_this_one(warehouse: Warehouse) -> None:
    for back in range(1, 5):
        warehouse.counted("web", LAST_HOUR - timedelta(weeks=back, hours=2), 500)

    assert warehouse.found(checks.sources_send).problems == []


def test_while_files_wait_no_source_is_called_silent(warehouse: Warehouse) -> None:
    weeks_before(warehouse, "web", 20, 20, 20)
    waits_since(warehouse, minutes=60)

    assert warehouse.found(checks.sources_send).problems == []


@pytest.mark.parametrize(("received", "alarms"), [(29, 1), (31, 0), (330, 0), (340, 1)])
def test_far_less_or_more_than_usual_is_an_alarm(
    warehouse: Warehouse, received: int, alarms: int
) -> None:
    weeks_before(warehouse, "web", 100, 90, 110)
    warehouse.counted("web", LAST_HOUR, received)

    assert len(warehouse.found(checks.volume_is_usual).problems) == alarms


def waits_since(warehouse: Warehouse, *, minutes: float, call: str = "track") -> None:
    path = landed.land(warehouse.settings.landing, call, landed.line({}, message_id="m"))
    then = NOW.timestamp() - 60 * minutes
    os.utime(path, (then, then))


def test_a_file_that_waits_for_long_is_an_alarm(warehouse: Warehouse) -> None:
    waits_since(warehouse, minutes=9)
    assert warehouse.found(checks.files_wait).problems == []

    waits_since(warehouse, minutes=11, call="page")

    (problem,) = warehouse.found(checks.files_wait).problems
    assert problem.startswith("2 sealed files wait to be loaded, the oldest for 11 minutes")


def test_a_disk_that_fills_up_is_an_alarm_for_each_folder(warehouse: Warehouse) -> None:
    assert warehouse.found(checks.disk_is_free, alarm_free_share=1e-9).problems == []

    found = warehouse.found(checks.disk_is_free, alarm_free_share=1.0)

    assert len(found.problems) == 3
    assert all(figure > 0 for figure in found.figures.values())


@pytest.mark.parametrize(
    ("check", "whole", "part"),
    [
        (checks.rejects_are_few, "received", "rejected"),
        (checks.duplicates_are_few, "loaded", "duplicate"),
    ],
)
def test_a_share_of_one_source_is_an_alarm_and_names_it_alone(
    warehouse: Warehouse, check: Made, whole: str, part: str
) -> None:
    for source, number in (("web", 30), ("app", 1)):
        counts = {"received": 100, whole: 100, part: number}
        warehouse.counted(source, LAST_HOUR, **counts)

    found = warehouse.found(check)

    assert found.figures == {"app_share": 0.01, "web_share": 0.3}
    (problem,) = found.problems
    assert "30 of 100" in problem
    assert "of web" in problem


def test_a_few_bad_lines_of_a_source_that_sends_little_are_none(warehouse: Warehouse) -> None:
    warehouse.counted("web", LAST_HOUR, 5, rejected=4)

    assert warehouse.found(checks.rejects_are_few).problems == []


def test_what_is_older_than_a_day_is_no_alarm_any_more(warehouse: Warehouse) -> None:
    warehouse.counted("web", LAST_HOUR - timedelta(hours=24), 100, rejected=100)

    assert warehouse.found(checks.rejects_are_few).problems == []


@pytest.mark.parametrize(
    ("sent_at", "is_wrong"),
    [
        ("2026-11-22T05:09:00.000Z", False),
        ("2026-11-21T06:00:00Z", False),  # kept by a phone without a network
        ("2026-11-22T05:16:00Z", True),
        ("1970-01-01T00:00:01.000Z", True),
        ("soon", False),  # no time at all is the models' to count
    ],
)
def test_clocks_that_cannot_be_right_are_an_alarm(
    warehouse: Warehouse, sent_at: str, is_wrong: bool
) -> None:
    row = {"source": "web", "received_at": datetime(2026, 11, 22, 5, 10), "sent_at": sent_at}  # noqa: DTZ001
    warehouse.insert("page", row, times=100)

    assert len(warehouse.found(checks.clocks_are_right).problems) == is_wrong


def test_a_source_over_its_quota_is_an_alarm(warehouse: Warehouse) -> None:
    warehouse.settings.landing.mkdir()
    not_stored.add(
        warehouse.settings.landing, NOW, {"web": {"throttled": 7}, "app": {"shut_out": 1}}
    )

    found = warehouse.found(checks.quotas_are_kept)

    assert found.figures == {"app_throttled": 0, "web_throttled": 7}
    (problem,) = found.problems
    assert problem.startswith("7 requests of web were answered 429")


def test_new_fields_are_counted(warehouse: Warehouse) -> None:
    for path, first_seen in (("$.new", NOW), ("$.old", NOW - timedelta(days=2))):
        row = {"call": "track", "path": path, "first_seen": first_seen.replace(tzinfo=None)}
        warehouse.insert("field", row)

    assert warehouse.found(checks.columns_have_room).figures["new_fields"] == 1


def test_a_table_near_its_ceiling_is_an_alarm(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.con.execute("create schema if not exists columns")
    warehouse.con.execute("create table if not exists columns.rules (call varchar, rules varchar)")
    monkeypatch.setattr(
        checks, "columns_in", lambda *_: {"track": set(map(str, range(460))), "page": {"id"}}
    )

    found = warehouse.found(checks.columns_have_room, alarm_columns_share=0.4)

    assert [problem.split(" columns")[0] for problem in found.problems] == [
        "segment.track has 460 of 1000"
    ]


def test_new_fields_without_a_column_are_an_alarm(warehouse: Warehouse) -> None:
    warehouse.con.execute("create schema if not exists columns")
    warehouse.con.execute(
        "create or replace table columns.placement (call varchar, path varchar, status varchar)"
    )
    for path, first_seen in (("$.new", NOW), ("$.old", NOW - timedelta(days=2))):
        row = {"call": "track", "path": path, "first_seen": first_seen.replace(tzinfo=None)}
        warehouse.insert("field", row)
        warehouse.con.execute(
            "insert into columns.placement values ('track', $1, 'too many columns')", [path]
        )

    (problem,) = warehouse.found(checks.columns_have_room).problems

    assert problem.startswith("1 fields of track that came in the last 24 hours have no column")


def test_a_model_that_fails_is_an_alarm(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = {"track": back_off.Failing(3, 1_800_000_000)}
    monkeypatch.setattr(checks, "failing_models", lambda _: failing)

    (problem,) = warehouse.found(checks.models_run).problems

    assert problem.startswith("Model track failed 3 times; it is tried again at 08:02:00 UTC")
