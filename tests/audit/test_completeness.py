"""received = loaded + rejected + waiting, loaded = rows + duplicate: always, and counted apart."""

from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.audit.completeness import count, count_all
from orchestration.audit.problems import problems
from orchestration.defs.completeness_asset import completeness
from orchestration.defs.run_process import run_process
from orchestration.loading.load import load
from orchestration.recovery.reload import reload_rejected
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Limits
from receiver.events.made_up_ids import BY_CONTENT
from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import reading

pytestmark = pytest.mark.timeout(600)  # the first test waits for three runs of dbt

HOUR = datetime(2026, 11, 22, 5)  # noqa: DTZ001 - the warehouse's timestamps have no zone


def event(message_id: str, hour: int = 5, source: str = "web", **fields: object) -> bytes:
    return landed.line(
        {"messageId": message_id, "type": "track", "event": "E"} | fields,
        received_at=f"2026-11-22T{hour:02}:24:46.123456Z",
        source=source,
    )


def sums(settings: Settings) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Call, source and hour → received, loaded, rejected, waiting, rows, duplicate."""
    return _counts(settings, "received, loaded, rejected, waiting, rows, duplicate")


def oddities(settings: Settings) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    """Call, source and hour → folded, unread_times."""
    return _counts(settings, "folded, unread_times")


def _counts(settings: Settings, names: str) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    with reading(settings) as con:
        rows = con.execute(
            f"select call, source, hour(hour), {names} from raw.completeness"
        ).fetchall()
    return {(call, source, hour): tuple(numbers) for call, source, hour, *numbers in rows}


def counted(house: House) -> dict[tuple[str, str, int], tuple[Any, ...]]:
    house.dbt("run", "--select", "stg_segment__track", "track")
    with writer_lock(house.settings), connect(house.settings) as con:
        count(con, house.settings, {"track": 0.0})  # as a load's own run of the models does
    return sums(house.settings)


@pytest.fixture(scope="module")
def steps(built_house: House) -> list[dict[tuple[str, str, int], tuple[Any, ...]]]:
    """The sums after each of four steps."""
    settings = built_house.settings
    steps = []
    built_house.land("track", event("a"), event("a"), event("b", source="app"), b"damaged\n")
    too_big = b'{"type":"track","messageId":"big","event":"E"}'
    built_house.land("rejected", landed.rejected_line(too_big, reason="too_big"))
    load(settings)
    steps.append(counted(built_house))

    open_file = built_house.land("track", event("a", 3), event("c", 6), b'{"v":1,"crc":"0000')
    open_file.rename(open_file.with_suffix(".ndjson.open"))
    with writer_lock(settings), connect(settings) as con:
        count(con, settings)
    steps.append(sums(settings))

    open_file.with_suffix(".ndjson.open").rename(open_file)
    open_file.write_bytes(event("a", 3) + event("c", 6))
    load(settings)
    steps.append(counted(built_house))

    reload_rejected(settings, Limits(2**20, 128))
    steps.append(counted(built_house))
    return steps


Steps = list[dict[tuple[str, str, int], tuple[Any, ...]]]


def test_every_line_is_counted_by_what_became_of_it(steps: Steps) -> None:
    assert steps[0] == {
        ("track", "web", 5): (2, 2, 0, 0, 1, 1),
        ("track", "app", 5): (1, 1, 0, 0, 1, 0),
        ("track", "unknown", 5): (1, 0, 1, 0, None, None),
        ("unknown", "web", 5): (1, 0, 1, 0, None, None),
    }


def test_whole_lines_of_a_file_that_is_being_written_are_waiting(steps: Steps) -> None:
    assert steps[1] == steps[0] | {
        ("track", "web", 3): (1, 0, 0, 1, None, None),
        ("track", "web", 6): (1, 0, 0, 1, None, None),
    }


def test_a_row_that_gives_way_to_an_earlier_copy_is_a_duplicate_from_then_on(steps: Steps) -> None:
    assert steps[2] == steps[0] | {
        ("track", "web", 3): (1, 1, 0, 0, 1, 0),
        ("track", "web", 5): (2, 2, 0, 0, 0, 2),
        ("track", "web", 6): (1, 1, 0, 0, 1, 0),
    }


def test_a_reject_that_became_an_event_changes_its_place(steps: Steps) -> None:
    expected = steps[2] | {("track", "web", 5): (3, 3, 0, 0, 1, 2)}
    del expected["unknown", "web", 5]

    assert steps[3] == expected


def test_counted_hour_by_hour_or_all_at_once_it_is_the_same(
    steps: Steps, built_house: House
) -> None:
    hours = {HOUR.replace(hour=hour) for hour in range(24)}

    with writer_lock(built_house.settings), connect(built_house.settings) as con:
        count(con, built_house.settings, hours=hours)

    assert sums(built_house.settings) == steps[3]


def test_the_sums_hold(steps: Steps, built_house: House) -> None:
    assert len(steps) == 4
    with reading(built_house.settings) as con:
        assert problems(con, built_house.settings) == []


def made_up(content: bytes, **fields: object) -> bytes:
    """A line of an event that its sender gave no id."""
    return landed.line(
        {"type": "track", "event": "E"} | fields,
        message_id=BY_CONTENT.made_up({}, content),
        source="pixel",
    )


@pytest.fixture(scope="module")
def odd(steps: Steps, built_house: House) -> House:
    """The same house, behind two more loads: ids that were made up, and times that are none."""
    assert steps
    noon, now = "at noon", "2026-11-22T05:24:40Z"
    built_house.land("track", made_up(b"one"), made_up(b"one"), made_up(b"two"))
    built_house.land("track", event("d", 8, timestamp=noon), event("d", 8, timestamp=noon))
    built_house.land("track", event("e", 8, timestamp=now), event("f", 8, sentAt=noon))
    load(built_house.settings)
    counted(built_house)
    built_house.land("track", made_up(b"one"), event("f", 7))
    load(built_house.settings)
    counted(built_house)
    return built_house


@pytest.mark.long
def test_lines_with_a_made_up_id_whose_row_is_another_line_are_counted(odd: House) -> None:
    assert sums(odd.settings)["track", "pixel", 5] == (4, 4, 0, 0, 2, 2)
    assert oddities(odd.settings)["track", "pixel", 5] == (2, 0)


@pytest.mark.long
def test_a_copy_with_its_senders_id_is_not_folded(odd: House) -> None:
    assert sums(odd.settings)["track", "web", 5][-1] == 2
    assert oddities(odd.settings)["track", "web", 5] == (0, 0)


@pytest.mark.long
def test_rows_with_a_time_that_is_none_are_counted_once_each(odd: House) -> None:
    """`d` has two copies; of `f` an earlier copy, without such a time, became the row."""
    assert oddities(odd.settings)["track", "web", 8] == (0, 1)


@pytest.mark.long
def test_they_are_named_in_their_rows(odd: House) -> None:
    rows = odd.rows("select message_id, _seamline_unread_times from segment.track order by 1")

    assert [row for row in rows if row[1]] == [("d", "timestamp")]


@pytest.mark.long
def test_counted_all_at_once_they_are_the_same(odd: House) -> None:
    before = oddities(odd.settings)

    with writer_lock(odd.settings), connect(odd.settings) as con:
        count_all(con, odd.settings)

    assert oddities(odd.settings) == before


@pytest.mark.long
def test_dagster_shows_them(odd: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", odd.settings.warehouse)
    monkeypatch.setenv("SEAMLINE_LANDING", str(odd.settings.landing))

    done = dg.materialize([completeness], resources={"run_process": run_process})

    shown, *_behind = done.asset_materializations_for_node(completeness.op.name)
    assert (shown.metadata["folded"].value, shown.metadata["unread_times"].value) == (2, 1)


@pytest.fixture
def house(steps: Steps, built_house: House, tmp_path: Path) -> Settings:
    """A copy to damage."""
    assert steps
    return built_house.copy(tmp_path).settings


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
        count(con, house, hours={HOUR})

        assert said in [str(problem) for problem in problems(con, house)]


@pytest.mark.long
def test_no_receipt_stops_the_counting_of_others(house: Settings) -> None:
    """While it waits, and once it is loaded: the end of the calendar, and what is in none."""

    def total(*modelled: str) -> tuple[Any, ...]:
        with writer_lock(house), connect(house) as con:
            count(con, house, dict.fromkeys(modelled, 0.0))
            (row,) = con.execute(
                "select sum(received)::int, sum(loaded + rejected)::int, sum(waiting)::int "
                "from raw.completeness"
            ).fetchall()
        return tuple(row)

    received, known, waiting = total()
    odd = {"messageId": "odd", "type": "track", "event": "E"}
    for when in ("9999-12-31T23:59:59.999999Z", "0000-00-00T77:00:00.000000Z", "infinity"):
        landed.land(house.landing, "track", landed.line(odd, received_at=when), event("g", 9))
        landed.land(house.landing, "rejected", landed.rejected_line(b"{", received_at=when))

    assert total() == (received + 9, known, waiting + 9)
    load(house)
    assert total("track") == (received + 9, known + 9, 0)
