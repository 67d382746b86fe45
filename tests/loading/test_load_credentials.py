"""By what kind of credential a line came is kept, wherever the line goes."""

import json
from pathlib import Path

import pytest

from orchestration.audit.verify import verify
from orchestration.loading.load import load
from orchestration.loading.waiting import count_lines
from orchestration.recovery.reload import reload_rejected
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from receiver.events.check import Limits
from tests.support import landed
from tests.support.warehouse import rows

EVENT = {"type": "track", "messageId": "m", "event": "E", "userId": "u"}


def test_the_kind_of_a_lines_credential_is_in_the_raw_table(made_warehouse: Settings) -> None:
    kinds = (None, "browser", "server", "webhook")
    landed.land(made_warehouse.landing, "track", *(landed.line(EVENT, credential=k) for k in kinds))

    load(made_warehouse)

    found = rows(made_warehouse, "select credential from raw.track order by line")
    assert [kind for (kind,) in found] == list(kinds)
    assert verify(made_warehouse).problems == []


def test_verify_names_a_row_with_another_kind(made_warehouse: Settings) -> None:
    landed.land(made_warehouse.landing, "track", landed.line(EVENT, credential="browser"))
    load(made_warehouse)

    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("update raw.track set credential = 'server'")

    (problem,) = verify(made_warehouse).problems
    assert "message m: not the same" in problem


@pytest.mark.parametrize("kind", ["browser", None])
def test_what_was_rejected_is_of_its_kind_when_it_becomes_an_event(
    made_warehouse: Settings, kind: str | None
) -> None:
    body = json.dumps(EVENT).encode()
    line = landed.rejected_line(body, reason="too_big", call="track", credential=kind)
    landed.land(made_warehouse.landing, "rejected", line)
    load(made_warehouse)
    assert rows(made_warehouse, "select credential from raw.rejected") == [(kind,)]

    assert reload_rejected(made_warehouse, Limits(2**20, 128)).moved == 1

    assert rows(made_warehouse, "select credential from raw.track") == [(kind,)]


def test_what_the_warehouse_cannot_read_keeps_its_kind_too(made_warehouse: Settings) -> None:
    line = landed.line(EVENT, credential="browser", received_at="yesterday")
    landed.land(made_warehouse.landing, "track", line)

    load(made_warehouse)

    assert rows(made_warehouse, "select reason, credential from raw.rejected") == [
        ("bad_received_at", "browser")
    ]


def test_a_line_that_waits_is_counted_as_its_own_whether_it_says_its_kind(tmp_path: Path) -> None:
    lines = [landed.rejected_line(b"x", call="page", credential=kind) for kind in ("server", None)]
    path = landed.land(tmp_path, "rejected", *lines)

    ((key, count),) = count_lines([path]).items()

    assert (key[0], key[1], count) == ("page", "web", 2)
