"""`seamline status`: what came in, what waits and what is wrong."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from landed import not_stored
from landed.folders import REJECTED
from orchestration.__main__ import cli
from orchestration.audit import checks
from orchestration.audit.status import status
from orchestration.models import back_off
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support import landed
from tests.support.house import House

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def seen(built_house: House) -> House:
    """Two tracks, of which the models have one, a page that waits, and a reject."""
    built_house.land("track", landed.line({"event": "E"}, message_id="first"))
    built_house.load()
    built_house.models("track")
    built_house.land("track", landed.line({"event": "E"}, message_id="second"))
    built_house.load()
    built_house.land("page", landed.line({}, message_id="waits"))
    return built_house


def test_it_says_what_there_is(seen: House) -> None:
    found = status(seen.settings)

    said = "\n".join(found.lines())
    assert f"Files that wait in {seen.landing}: 1 page" in said
    assert "Last load: 2, " in said
    assert "segment.track: 1 rows, newest received 2026-11-22 05:24:46 UTC" in said
    assert "segment.page: 0 rows\n" in said
    assert "not in the final tables yet: track" in said
    assert "Rejected: none" in said
    assert found.problems == []


def test_it_says_of_each_source_what_came_and_what_was_not_stored(made_warehouse: Settings) -> None:
    now = datetime(2026, 11, 22, 5, 30, tzinfo=UTC)
    made_warehouse.landing.mkdir()
    not_stored.add(made_warehouse.landing, now, {"web": {"shut_out": 12}, "app": {"suppressed": 1}})
    counts = {"call": "track", "source": "web", "received": 2880, "rejected": 3, "duplicate": 2}
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        for source, hour in (("web", 5), ("old", -48)):
            row = counts | {"source": source, "hour": datetime(2026, 11, 22) + hour * HOUR}  # noqa: DTZ001
            columns = ", ".join(f"${name} as {name}" for name in row)
            con.execute(f"insert into raw.completeness by name select {columns}", row)

    assert [line for line in status(made_warehouse, now).lines() if line.startswith("Source")] == [
        "Source app: 0 received in 24 hours, 0.0 a minute, 1 suppressed",
        "Source old: nothing since 2026-11-20 00h UTC",
        "Source web: 2880 received in 24 hours, 2.0 a minute, 3 rejected, 2 copies, 12 shut out",
    ]


def test_as_json_it_has_what_the_checks_looked_at_as_well(
    seen: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.put_into(monkeypatch)

    said = json.loads(CliRunner().invoke(cli, ["status", "--json"]).output)

    assert said["waiting"] == {"page": 1}
    assert said["last_load"]["load_id"] == 2
    assert {"name": "segment.track", "rows": 1}.items() <= said["tables"][4].items()
    assert said["figures"]["files_wait"]["files"] == 1
    assert said["problems"] == []


def test_a_model_that_fails_is_a_problem_and_the_exit_status_says_so(
    seen: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.put_into(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr(
            checks, "failing_models", lambda _: {"track": back_off.Failing(3, 1_800_000_000)}
        )

        shown = CliRunner().invoke(cli, ["status"])

    assert shown.exit_code == 1
    assert "Model track failed 3 times" in shown.output
    assert shown.output.endswith("Problems: 1\n")


def test_it_waits_for_no_writer(seen: House) -> None:
    with writer_lock(seen.settings):
        assert status(seen.settings).lines()


def test_rejects_are_counted_by_reason(made_warehouse: Settings) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute(
            f"insert into raw.{REJECTED} by name "
            "select 'bad_json' as reason, 'f' as file, n as line from range(2) as t (n)"
        )

    assert "Rejected: 2 bad_json" in status(made_warehouse).lines()


def test_it_reads_what_an_earlier_version_has_left(made_warehouse: Settings) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("alter table raw.completeness drop column conflicting")
        con.execute('insert into raw.delete by name select \'{"userId": "u-1"}\' as payload')
        con.execute("alter table raw.delete drop column credential")

    assert status(made_warehouse).problems == []


def test_without_a_warehouse_it_says_what_makes_one(own_house: House) -> None:
    shown = CliRunner().invoke(cli, ["status"])

    assert shown.exit_code == 1
    assert "There is no warehouse at" in shown.output
    assert not own_house.settings.catalog.exists()
