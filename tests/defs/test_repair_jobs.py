"""What proves and repairs is launched from Dagster's UI, which refuses config that is wrong."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs import repair_jobs
from orchestration.defs.repair_jobs import DAYS
from tests.support import landed
from tests.support.house import House


@pytest.fixture
def house(built_house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house of this file's, to which the environment leads."""
    built_house.put_into(monkeypatch)
    return built_house


class Launched:
    """A run to its end, and what it said."""

    def __init__(
        self, job: str, config: dict[str, Any] | None = None, day: str | None = None
    ) -> None:
        """Launch it and wait."""
        ops = (
            {op.name: {"config": config} for op in defs.resolve_job_def(job).nodes}
            if config
            else {}
        )
        with dg.instance_for_test() as instance:
            self.result = defs.resolve_job_def(job).execute_in_process(
                run_config={"ops": ops},
                instance=instance,
                raise_on_error=False,
                partition_key=day,
            )
            logs = instance.all_logs(self.result.run_id)
        self.said = [entry.user_message for entry in logs if entry.dagster_event is None]
        failed = [one for one in self.result.all_events if one.is_step_failure]
        self.failure = failed[0].step_failure_data.user_failure_data if failed else None


@pytest.fixture(scope="module")
def loaded(built_house: House) -> Path:
    """The file of the one event that is loaded."""
    built_house.land("track", landed.line({"event": "E"}, message_id="m-1"))
    built_house.load()
    (path,) = (built_house.landing / "loaded" / "track").glob("*.ndjson")
    return path


@pytest.mark.usefixtures("house", "loaded")
def test_an_event_can_be_traced() -> None:
    run = Launched("trace", {"message_id": "m-1"})

    assert run.result.success
    assert any("load 1 at" in line for line in run.said)


@pytest.mark.long
def test_a_proof_that_finds_something_fails_and_names_it(house: House, loaded: Path) -> None:
    whole = loaded.read_bytes()
    house.models("track")
    good = Launched("verify")
    loaded.write_bytes(whole.replace(b'"E"', b'"F"'))

    bad = Launched("verify")

    assert good.result.success
    assert any("track: 1 lines in 1 files; 1 in raw.track; 1 rows" in line for line in good.said)
    assert bad.failure is not None
    assert loaded.name in (bad.failure.description or "")


@pytest.mark.any_one
@pytest.mark.parametrize(
    ("job", "config", "day", "called"),
    [
        ("replay_day", None, "2026-11-22", (date(2026, 11, 22), None)),
        ("replay_day", {"table": "track"}, "2026-11-22", (date(2026, 11, 22), "track")),
        ("replay_table", {"table": "page"}, None, (None, "page")),
        ("replay_table", None, None, (None, None)),
    ],
)
def test_a_replay_is_asked_for_what_was_chosen(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    job: str,
    config: dict[str, Any] | None,
    day: str | None,
    called: tuple[date | None, str | None],
) -> None:
    asked = []
    monkeypatch.setattr(
        repair_jobs,
        "replay",
        lambda settings, *what: asked.append((settings.landing, *what)) or "done",
    )

    run = Launched(job, config, day)

    assert run.result.success
    assert asked == [(house.landing, *called)]
    assert "done" in run.said


@pytest.mark.long
@pytest.mark.usefixtures("house")
def test_a_day_is_really_derived_again() -> None:
    run = Launched("replay_day", {"table": "track"}, "2026-11-22")

    assert run.result.success, run.said
    assert "Derived again: track, 2026-11-22" in run.said


@pytest.mark.parametrize("table", ["tracks", "delete", "", 1])
def test_a_table_that_is_none_is_refused_before_anything_runs(table: object) -> None:
    job = defs.resolve_job_def("replay_table")

    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"ops": {"replay_whole_table": {"config": {"table": table}}}})


def test_what_is_refused_fails_the_run_in_one_line(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEAMLINE_WAREHOUSE", f"ducklake:sqlite:{house.folder}/none/catalog.sqlite")

    run = Launched("verify")

    assert run.failure is not None
    assert "There is no warehouse at" in (run.failure.description or "")


def test_the_days_go_up_to_today() -> None:
    assert DAYS.get_last_partition_key() == f"{datetime.now(UTC):%Y-%m-%d}"
