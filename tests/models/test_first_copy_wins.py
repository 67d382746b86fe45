"""One row per message_id, the first received copy wins, however the files came in."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import landed
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

TABLES = ("group", "track")
"""One macro makes all six; these are the one with a keyword for a name, and the largest."""
MESSAGES = 40


def copy(call: str, number: int, second: int, note: str) -> bytes:
    """A received copy of a message; the note tells it from the others."""
    payload = {
        "type": call,
        "messageId": f"{call}-{number}",
        "userId": f"u{number}",
        "channel": note,
        "context": {"ip": "10.0.0.1", "page": {"url": f"https://example.com/{number}"}},
    }
    return landed.line(payload, received_at=f"2026-11-22T05:00:{second:02d}.{number:06d}Z")


@dataclass
class History:
    """The final tables after each step, and how often the lake was written to."""

    tables: list[dict[str, list[tuple[Any, ...]]]] = field(default_factory=list)
    snapshots: list[int] = field(default_factory=list)


FIRST, MORE, NOTHING_NEW, FULL_REFRESH = range(4)


@pytest.fixture(scope="module")
def history(house: House) -> History:
    """Loads and runs, one after the other, and in the end a full refresh."""
    history = History()

    def run(*arguments: str) -> None:
        house.load()
        house.dbt(
            "run", "--select", *(f"stg_segment__{table}" for table in TABLES), *TABLES, *arguments
        )
        history.tables.append(house.tables(TABLES))
        history.snapshots.append(house.snapshots())

    for call in TABLES:  # each message twice in one file, the later copy first
        lines = [copy(call, n, 30, "second") for n in range(MESSAGES)]
        house.land(call, *lines, *(copy(call, n, 20, "first") for n in range(MESSAGES)))
    run()

    for call in TABLES:  # the same once more, in two files of one load
        for second in (40, 50):
            house.land(call, *(copy(call, n, second, "again") for n in range(MESSAGES)))
        # received before all others but left behind by a process that died
        lines = [copy(call, n, 10, "earlier") for n in range(0, MESSAGES, 4)]
        house.land(call, *lines, *(copy(call, n, 55, "new") for n in range(MESSAGES, MESSAGES + 5)))
    run()

    run()
    run("--full-refresh")
    return history


def notes(lake_rows: list[tuple[Any, ...]], house: House, table: str) -> dict[str, str]:
    """message_id → note of the copy that is the row."""
    names = [name for name, *_ in house.rows(f'describe segment."{table}"')]
    key, note = names.index("message_id"), names.index("channel")
    return {row[key]: row[note] for row in lake_rows}


@pytest.mark.parametrize("table", TABLES)
def test_of_the_copies_in_one_load_the_first_received_is_the_row(
    history: History, house: House, table: str
) -> None:
    assert notes(history.tables[FIRST][table], house, table) == {
        f"{table}-{n}": "first" for n in range(MESSAGES)
    }


@pytest.mark.parametrize("table", TABLES)
def test_sending_the_same_again_changes_no_column_of_a_row(history: History, table: str) -> None:
    unchanged = set(history.tables[FIRST][table]) & set(history.tables[MORE][table])

    assert len(unchanged) == MESSAGES * 3 // 4  # of every fourth an earlier copy came


@pytest.mark.parametrize("table", TABLES)
def test_an_earlier_copy_that_is_loaded_later_takes_the_place_of_the_row(
    history: History, house: House, table: str
) -> None:
    expected = {f"{table}-{n}": "first" if n % 4 else "earlier" for n in range(MESSAGES)}
    expected |= {f"{table}-{n}": "new" for n in range(MESSAGES, MESSAGES + 5)}

    assert notes(history.tables[MORE][table], house, table) == expected


def test_a_table_changes_in_one_snapshot(history: History) -> None:
    """Its deletes and inserts together: no reader ever misses a row that is being replaced."""
    load = 1
    assert history.snapshots[MORE] - history.snapshots[FIRST] == load + len(TABLES)


def test_a_run_with_nothing_new_writes_nothing(history: History) -> None:
    assert history.tables[NOTHING_NEW] == history.tables[MORE]
    assert history.snapshots[NOTHING_NEW] == history.snapshots[MORE]


def test_built_in_increments_or_in_one_go_the_tables_are_the_same(history: History) -> None:
    assert history.tables[FULL_REFRESH] == history.tables[MORE]


def test_dbts_own_tests_hold(history: History, house: House) -> None:
    """Those that read whole tables, on these tables."""
    assert history.tables
    printed = house.dbt("test", "--select", "group,tag:full_scan", "track,tag:full_scan")

    assert "ERROR=0" in printed
    assert "no_row_lost" in printed
