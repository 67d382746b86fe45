"""received = loaded + rejected + waiting, loaded = rows + duplicate: always, and counted apart."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration.completeness import count, troubles
from orchestration.loading import behind
from orchestration.loading.load import load
from orchestration.loading.warehouse import connect
from orchestration.loading.writer_lock import writer_lock
from orchestration.reload import reload_rejected
from orchestration.settings import Settings
from receiver.events import Limits
from tests.support import landed
from tests.support.lake import Lake

pytestmark = pytest.mark.timeout(600)  # the first test waits for three runs of dbt

HOUR = datetime(2026, 11, 22, 5)  # noqa: DTZ001 - the warehouse's timestamps have no zone


def event(message_id: str, hour: int = 5, source: str = "web") -> bytes:
    return landed.line(
        {"messageId": message_id, "type": "track", "event": "E"},
        received_at=f"2026-11-22T{hour:02}:24:46.123456Z",
        source=source,
    )


def sums(settings: Settings) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Call, source and hour → received, loaded, rejected, waiting, rows, duplicate."""
    with connect(settings, read_only=True) as con:
        rows = con.execute(
            "select call, source, hour(hour), received, loaded, rejected, waiting, rows, duplicate "
            "from raw.completeness"
        ).fetchall()
    return {(call, source, hour): tuple(numbers) for call, source, hour, *numbers in rows}


def counted(lake: Lake) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    lake.dbt("run", "--select", "stg_segment__track", "track")
    behind.clear(lake.settings, ["track"])  # as a load's own run of the models does
    with writer_lock(lake.settings), connect(lake.settings) as con:
        count(con, lake.settings)
    return sums(lake.settings)


@pytest.fixture(scope="module")
def road(built_lake: Lake) -> list[dict[tuple[str, str, int], tuple[Any, ...]]]:
    """The sums after each of four steps."""
    settings = built_lake.settings
    steps = []
    built_lake.land("track", event("a"), event("a"), event("b", source="app"), b"damaged\n")
    too_big = b'{"type":"track","messageId":"big","event":"E"}'
    built_lake.land("rejected", landed.rejected_line(too_big, reason="too_big"))
    load(settings)
    steps.append(counted(built_lake))

    open_file = built_lake.land("track", event("a", 3), event("c", 6), b'{"v":1,"crc":"0000')
    open_file.rename(open_file.with_suffix(".ndjson.open"))
    with writer_lock(settings), connect(settings) as con:
        count(con, settings)
    steps.append(sums(settings))

    open_file.with_suffix(".ndjson.open").rename(open_file)
    open_file.write_bytes(event("a", 3) + event("c", 6))
    load(settings)
    steps.append(counted(built_lake))

    reload_rejected(settings, Limits(2**20, 128))
    steps.append(counted(built_lake))
    return steps


Steps = list[dict[tuple[str, str, int], tuple[Any, ...]]]


def test_every_line_is_counted_by_what_became_of_it(road: Steps) -> None:
    assert road[0] == {
        ("track", "web", 5): (2, 2, 0, 0, 1, 1),
        ("track", "app", 5): (1, 1, 0, 0, 1, 0),
        ("track", "unknown", 5): (1, 0, 1, 0, None, None),
        ("unknown", "web", 5): (1, 0, 1, 0, None, None),
    }


def test_whole_lines_of_a_file_that_is_being_written_are_waiting(road: Steps) -> None:
    assert road[1] == road[0] | {
        ("track", "web", 3): (1, 0, 0, 1, None, None),
        ("track", "web", 6): (1, 0, 0, 1, None, None),
    }


def test_a_row_that_gives_way_to_an_earlier_copy_is_a_duplicate_from_then_on(road: Steps) -> None:
    assert road[2] == road[0] | {
        ("track", "web", 3): (1, 1, 0, 0, 1, 0),
        ("track", "web", 5): (2, 2, 0, 0, 0, 2),
        ("track", "web", 6): (1, 1, 0, 0, 1, 0),
    }


def test_a_reject_that_became_an_event_changes_its_place(road: Steps) -> None:
    expected = road[2] | {("track", "web", 5): (3, 3, 0, 0, 1, 2)}
    del expected["unknown", "web", 5]

    assert road[3] == expected


def test_counted_hour_by_hour_or_all_at_once_it_is_the_same(road: Steps, built_lake: Lake) -> None:
    hours = {HOUR.replace(hour=hour) for hour in range(24)}

    with writer_lock(built_lake.settings), connect(built_lake.settings) as con:
        count(con, built_lake.settings, hours)

    assert sums(built_lake.settings) == road[3]


def test_the_sums_hold(road: Steps, built_lake: Lake) -> None:
    assert len(road) == 4
    with connect(built_lake.settings, read_only=True) as con:
        assert troubles(con, built_lake.settings) == []


@pytest.fixture
def house(road: Steps, built_lake: Lake, tmp_path: Path) -> Settings:
    """A copy to damage."""
    assert road
    for part in ("landing", "warehouse"):
        shutil.copytree(built_lake.scratch / part, tmp_path / part)
    return Settings(
        landing=tmp_path / "landing",
        warehouse=f"ducklake:sqlite:{tmp_path}/warehouse/catalog.sqlite",
        integration_name="Segment",
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "delete from raw.track where message_id = 'b'",
            "track of app, 2026-11-22 05h: 1 received, but 0 loaded + 0 rejected + 0 waiting (b)",
        ),
        (
            "insert into raw.track from raw.track where message_id = 'b'",
            "track of app, 2026-11-22 05h: 1 received, but 2 loaded + 0 rejected + 0 waiting (b)",
        ),
        (
            "delete from segment.track where message_id = 'b'",
            "track of app, 2026-11-22 05h: 1 loaded, but 0 rows + 0 duplicates (b)",
        ),
    ],
)
def test_where_they_do_not_hold_the_messages_are_named(
    house: Settings, damage: str, said: str
) -> None:
    with writer_lock(house), connect(house) as con:
        con.execute(damage)
        count(con, house, {HOUR})

        assert said in [str(trouble) for trouble in troubles(con, house)]
