"""`make reload-rejected`: what could not be loaded is tried again."""

import json
from pathlib import Path
from typing import Any

import pytest

from orchestration import by_hand
from orchestration.recovery.reload import Reloaded, limits_of_today, reload_rejected
from orchestration.settings import Settings
from receiver.events.check import Limits
from receiver.senders.masking import Mask
from tests.support import landed
from tests.support.house import House

pytestmark = pytest.mark.timeout(600)

GENEROUS = Limits(event_bytes=1_000_000, depth=128)
STRICT = Limits(event_bytes=50, depth=128)

BIG = {"type": "track", "messageId": "big", "event": "Big", "properties": {"text": "x" * 100}}
NO_ID = {"type": "identify", "userId": "u1", "traits": {"text": "y" * 100}}


def counts(house: House) -> dict[str, int]:
    """Rows per raw table, and what the ledger says of them."""
    found: dict[str, Any] = {}
    for table in ("track", "identify", "rejected"):
        ((found[table],),) = house.rows(f"select count(*) from raw.{table}")
    ((found["rows"], found["in ledger as rejected"]),) = house.rows(
        "select sum(rows)::bigint, sum(rejected)::bigint from raw.landed_file"
    )
    return found


@pytest.fixture(scope="module")
def rejected(built_house: House) -> House:
    """Two events that were too big, and two bodies that are no event and never will be."""
    built_house.land(
        "rejected",
        landed.rejected_line(json.dumps(BIG).encode(), reason="too_big", call="track"),
        landed.rejected_line(json.dumps(NO_ID).encode(), reason="too_big", call="identify"),
        landed.rejected_line(b'{"type": ', reason="bad_json"),
        landed.rejected_line(b"\xff\xfe", reason="not_utf8", call="track"),
    )
    built_house.land("track", landed.line({"messageId": "good", "type": "track"}))
    built_house.load()
    built_house.dbt("run", "--select", "_sdc_rejected")
    return built_house


@pytest.fixture
def house(rejected: House, tmp_path: Path) -> House:
    """A copy of it of the test's own."""
    return rejected.copy(tmp_path)


def test_what_could_not_be_loaded_is_listed_as_stitch_lists_it(rejected: House) -> None:
    query = "select table_name, reason, record from segment._sdc_rejected order by all"
    rows = rejected.rows(query)

    assert rows == [
        ("identify", "too_big", json.dumps(NO_ID)),
        ("track", "not_utf8", "\\xFF\\xFE"),
        ("track", "too_big", json.dumps(BIG)),
        (None, "bad_json", '{"type": '),
    ]


def test_under_the_same_limits_nothing_changes(house: House) -> None:
    before = counts(house)
    done = reload_rejected(house.settings, STRICT)

    assert (done.tried, done.moved) == (4, 0)
    assert counts(house) == before


def test_what_is_an_event_now_moves_to_its_table(house: House) -> None:
    done = reload_rejected(house.settings, GENEROUS)
    house.dbt("run", "--select", "+track", "+identify")

    assert (done.tried, done.moved, done.left) == (4, 2, {"bad_json": 1, "not_utf8": 1})
    assert counts(house) == {
        "track": 2,
        "identify": 1,
        "rejected": 2,
        "rows": 3,
        "in ledger as rejected": 2,
    }
    assert house.rows(
        "select message_id, event, properties__text, received_at, _sdc_batched_at is not null "
        "from segment.track where message_id = 'big'"
    ) == house.rows(
        "select 'big', 'Big', repeat('x', 100), timestamp '2026-11-22 05:24:46.123456', true"
    )
    ((user, length),) = house.rows("select user_id, length(message_id) from segment.identify")
    assert user == "u1"
    assert length > 20  # a hash of its bytes, as it has none


@pytest.mark.long
def test_a_second_time_moves_nothing_and_the_command_says_what_is_left(house: House) -> None:
    reload_rejected(house.settings, GENEROUS)
    before = counts(house)
    done = reload_rejected(house.settings, GENEROUS)
    said = house.run("replay", "--rejected")

    assert (done.tried, done.moved) == (2, 0)
    assert "Moved 0 of 2 rejected records; left: 1 bad_json, 1 not_utf8" in said
    assert counts(house) == before


@pytest.mark.parametrize("reason", ["delete_not_allowed", "too_big"])
def test_a_rejected_deletion_is_never_taken(own_house: House, reason: str) -> None:
    """Nobody knows any more whether its sender might order it: it may have been any visitor."""
    order = json.dumps({"type": "delete", "userId": "victim", "messageId": "d"}).encode()
    own_house.land("rejected", landed.rejected_line(order, reason=reason, call="delete"))
    own_house.load()

    done = reload_rejected(own_house.settings, limits_of_today())

    assert (done.tried, done.moved, done.left) == (1, 0, {reason: 1})
    assert own_house.rows("select count(*) from raw.delete") == [(0,)]


def test_a_rejected_event_whose_key_is_hidden_becomes_one(own_house: House) -> None:
    hidden = Mask(["a-key-for-pages-01"])(
        b'{"type":"track","messageId":"k","writeKey":"a-key-for-pages-01","n":1.0}'
    )
    own_house.land("rejected", landed.rejected_line(hidden, reason="too_big", call="track"))
    own_house.load()

    assert reload_rejected(own_house.settings, GENEROUS).moved == 1
    assert own_house.rows("select payload::varchar from raw.track") == [
        ('{"type":"track","messageId":"k","n":1.0}',)
    ]


@pytest.mark.parametrize(("moved", "runs"), [(2, 1), (0, 0)])
def test_by_the_limits_of_today_and_once_something_has_moved_the_models_are_brought_up_to_date(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, moved: int, runs: int
) -> None:
    done = Reloaded(tried=4, moved=moved, left={"not_utf8": 1, "bad_json": 1})
    tried: list[object] = []
    run: list[Settings] = []
    monkeypatch.setattr(by_hand, "reload_rejected", lambda *given: tried.append(given) or done)
    monkeypatch.setattr(by_hand, "run_all_models", run.append)

    said = by_hand.reload_once(settings)

    assert said == f"Moved {moved} of 4 rejected records; left: 1 bad_json, 1 not_utf8"
    assert tried == [(settings, limits_of_today())]
    assert run == [settings] * runs
