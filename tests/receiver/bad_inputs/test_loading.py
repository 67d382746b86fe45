"""Bad inputs, all the way: whatever a case lands is in the warehouse, byte for byte."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest

from landed.folders import CALLS
from tests.receiver.bad_inputs import (
    test_events,
    test_http,
    test_json,
    test_limits,
    test_scopes,
    test_signatures,
)
from tests.support.house import House
from tests.support.receiver.app import AppReceiver
from tests.support.receiver.attack import KEY, Case, Line, bad_input, each, expected_lines, send
from tests.support.receiver.landing import Landing
from tests.support.receiver.senders import new_id
from tests.support.receiver.server import RunningReceiver
from tests.support.warehouse import reading

pytestmark = pytest.mark.timeout(600)

MODULES = (
    test_signatures,
    test_http,
    test_json,
    test_events,
    test_limits,
    test_scopes,
)
LANDING = [case for module in MODULES for case in module.CASES if case.lines]
REPLAYED = '{"type":"track","messageId":"replayed","event":"Replayed"}'


MODELS = [
    f"{kind}{call}" for call in ("track", "page", "identify") for kind in ("stg_segment__", "")
]


class Outcome(NamedTuple):
    """What was sent, and what of it is in the warehouse."""

    house: House
    con: duckdb.DuckDBPyConnection
    expected: dict[str, list[Line]]
    loaded: Counter[Line]
    ids: dict[str, str]

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Ask the warehouse."""
        return self.con.execute(query).fetchall()


def replay(receiver: Landing, times: int) -> None:
    for _ in range(times):
        answer = receiver.http.post("/webhooks/hooks", content=REPLAYED, headers=KEY)
        assert answer.status_code == 200


def raw_lines(con: duckdb.DuckDBPyConnection) -> Counter[Line]:
    lines: Counter[Line] = Counter()
    for call in CALLS:
        rows = con.execute(f'select encode(payload::varchar) from raw."{call}"').fetchall()
        lines.update(Line(call, payload) for (payload,) in rows)
    rows = con.execute("select body, reason from raw.rejected").fetchall()
    lines.update(Line("rejected", body, reason) for body, reason in rows)
    return lines


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, prepared_house: Path) -> Iterator[Outcome]:
    """Every case that lands, sent to the receiver and loaded."""
    house = House(tmp_path_factory.mktemp("loading")).move_in(prepared_house)
    expected, ids = {}, {}

    def land(receiver: Landing, *cases: Case) -> None:
        for case in cases:
            ids[case.title] = new_id()
            answer, body = send(receiver, case, ids[case.title].encode())
            assert answer.status == case.status
            expected[case.title] = expected_lines(case, body, ids[case.title])

    running = RunningReceiver(house.folder, workers=1)
    land(running, *(case for case in LANDING if case.wire))
    assert running.stop() == 0
    app = AppReceiver(house.folder)
    land(app, *(case for case in LANDING if not case.wire))
    replay(app, 1000)
    app.close()
    house.load()
    with reading(house.settings) as con:
        yield Outcome(house, con, expected, raw_lines(con), ids)


@pytest.fixture(scope="module")
def modelled(outcome: Outcome) -> Outcome:
    """The same behind dbt: its tables have a thousand columns, so that a run takes its time."""
    outcome.house.dbt("run", "--select", *MODELS)
    return outcome


@each(LANDING)
def test_what_lands_is_in_the_warehouse_byte_for_byte(case: Case, outcome: Outcome) -> None:
    for line in outcome.expected[case.title]:
        assert outcome.loaded[line] >= 1


def test_nothing_is_in_the_warehouse_that_was_not_expected(outcome: Outcome) -> None:
    expected = Counter(line for lines in outcome.expected.values() for line in lines)
    expected[Line("track", REPLAYED.encode())] += 1000

    assert outcome.loaded == expected


def test_every_raw_payload_can_be_read_by_the_warehouse(outcome: Outcome) -> None:
    for call in CALLS:
        unequal = outcome.ask(
            f'select count(*) from raw."{call}" where not json_valid(payload::varchar)'
            " or (case when contains(payload->>'messageId', chr(0))"
            " then (payload->'messageId')::varchar else payload->>'messageId' end <> message_id"
            " and message_id not like 'sha256-%')"
        )
        assert unequal == [(0,)]


@bad_input("B57", "very many names of properties", "the raw tables have the columns they had")
def test_no_event_changes_a_raw_table(outcome: Outcome) -> None:
    for call in CALLS:
        columns = outcome.ask(f'select column_name from (describe raw."{call}")')
        assert len(columns) == 9


@pytest.mark.long
@bad_input("B16", "one event sent 1,000 times", "200 each, one row in the final table")
def test_an_event_that_is_replayed_is_one_row(modelled: Outcome) -> None:
    for schema, copies in (("raw", 1000), ("segment", 1)):
        found = f"select count(*) from {schema}.track where message_id = 'replayed'"
        assert modelled.ask(found) == [(copies,)]


@pytest.mark.long
@bad_input("B66", "one `messageId` with two contents, modelled", "the first received is the row")
def test_of_two_events_with_one_id_the_first_is_the_row(modelled: Outcome) -> None:
    (title,) = (case.title for case in LANDING if case.number == "B66")
    first = modelled.expected[title][0]
    assert first.text is not None

    (row,) = modelled.ask(
        "select final.received_at = received.received_at from segment.track as final"
        " join raw.track as received using (message_id)"
        f" where message_id = '{modelled.ids[title]}'"
        f" and received.payload::varchar = '{first.text.decode()}'"
    )
    assert row == (True,)


@pytest.mark.long
@bad_input("B67", "one `messageId` in two calls, modelled", "a row in each final table")
def test_an_id_in_two_calls_is_a_row_in_each(modelled: Outcome) -> None:
    (title,) = (case.title for case in LANDING if case.number == "B67")
    for call in ("track", "page"):
        where = f"where message_id = '{modelled.ids[title]}'"
        assert modelled.ask(f"select count(*) from segment.{call} {where}") == [(1,)]


@pytest.mark.long
@bad_input("B68", "odd times, objects for strings, missing names, modelled", "a row all the same")
def test_every_odd_event_is_a_row_of_its_table(modelled: Outcome) -> None:
    for call in ("track", "page", "identify"):
        missing = modelled.ask(
            f"select message_id from raw.{call} anti join segment.{call} using (message_id)"
        )
        assert missing == []
