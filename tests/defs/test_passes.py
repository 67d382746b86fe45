"""Passes of a run that stays: what several have done is counted and told together."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from orchestration.defs import passes
from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.news import News
from orchestration.defs.passes import QUIET_SECONDS, TOLD_SECONDS, Passes
from orchestration.loading.load import load
from orchestration.models import command
from orchestration.models.pending_models import pending
from orchestration.recovery.restore import restore_if_behind
from orchestration.warehouse.catalog import CATALOG
from orchestration.warehouse.connection import keeping_sessions
from orchestration.warehouse.file_statistics import KEPT
from orchestration.warehouse.locks import WRITER
from orchestration.warehouse.writer_lock import is_held, writer_lock
from tests.support import landed
from tests.support.house import House
from tests.support.warehouse import rows

pytestmark = pytest.mark.timeout(600)

FINAL = COMPLETENESS.path[0]


class Run:
    """Passes in a house, on a clock that the test turns."""

    now = 1000.0

    def __init__(self, house: House, instance: dg.DagsterInstance) -> None:
        """Begin to stay."""
        self.house = house
        self.instance = instance
        context: Any = SimpleNamespace(
            instance=instance,
            log=logging.getLogger(__name__),
            run=SimpleNamespace(asset_selection=None, run_id="0"),
            run_id="0",
        )
        self.passes = Passes(context, house.settings, lambda: self.now)

    def one(self, call: str, *message_ids: str) -> None:
        """Land events of a call, and make a pass."""
        events = [{"messageId": one, "type": call, "event": "E"} for one in message_ids]
        self.house.land(call, *map(landed.line, events))
        self.passes.one(News((call,), frozenset(), frozenset(), {}))

    def told(self) -> dict[str, dg.MaterializeResult[None]]:
        """Tell; asset → what was told of it."""
        results = list(self.passes.told())
        by_key = {one.asset_key.to_user_string(): one for one in results if one.asset_key}
        assert len(by_key) == len(results)
        return by_key

    def shown(self, call: str) -> set[str]:
        """The messages in a final table."""
        found = rows(self.house.settings, f'select message_id from {FINAL}."{call}"')
        return {message_id for (message_id,) in found}


@pytest.fixture
def run(own_house: House, prepared_house: Path) -> Iterator[Run]:
    """A run in a house whose models are made, and that is empty."""
    own_house.move_in(prepared_house)
    with dg.instance_for_test() as instance, keeping_sessions():
        yield Run(own_house, instance)


def test_rows_are_there_with_each_pass_and_told_once_nothing_comes(run: Run) -> None:
    for number in range(3):
        run.one("track", f"m{number}")
        assert run.shown("track") == {f"m{n}" for n in range(number + 1)}
        assert not run.passes.are_to_be_told()
    assert rows(run.house.settings, "from raw.completeness") == []

    run.now += QUIET_SECONDS
    assert run.passes.are_to_be_told()
    told = run.told()

    assert told["raw/track"].metadata["new_rows"] == 3
    assert told[f"{FINAL}/track"].metadata["new_rows"] == 3
    completeness = told[f"{FINAL}/completeness"]
    assert (completeness.metadata["received"], completeness.metadata["rows"]) == (3, 3)
    assert [check.passed for check in completeness.check_results or ()] == [True]
    assert not run.passes.are_to_be_told()
    assert pending(run.house.settings).calls == ()


def test_the_statistics_of_its_files_are_those_by_which_files_are_chosen(run: Run) -> None:
    run.one("track", "a")

    noted = rows(
        run.house.settings,
        f"select distinct column_name from {CATALOG}.ducklake_file_column_stats "
        f"join {CATALOG}.ducklake_column using (table_id, column_id) "
        f"join {CATALOG}.ducklake_table using (table_id) "
        f"join {CATALOG}.ducklake_schema using (schema_id) "
        f"where schema_name = '{FINAL}' and table_name = 'track'",
    )
    assert {name for (name,) in noted} == set(KEPT) - {"load_id", "file", "hour"}


@pytest.mark.long
def test_nobody_has_to_wait_while_dagster_stores_what_is_told(run: Run) -> None:
    run.one("track", "a")

    held = [is_held(run.house.settings, WRITER) for _ in run.passes.told()]

    assert len(held) > 2
    assert not any(held)


def test_a_model_that_failed_is_told_behind_all_that_went_well(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_well = dg.MaterializeResult[None](asset_key=dg.AssetKey([FINAL, "track"]))

    def half_of_it(*_: object, **__: object) -> Iterator[dg.MaterializeResult[None]]:
        yield went_well
        raise dg.Failure("tracks: no")

    run.one("track", "a")
    monkeypatch.setattr(passes, "materialized", half_of_it)
    telling = run.passes.told()
    told = list(iter(telling.__next__, went_well))
    with pytest.raises(dg.Failure, match="tracks: no"):
        next(telling)

    assert {one.asset_key for one in told} >= {COMPLETENESS, dg.AssetKey(["raw", "track"])}
    assert not is_held(run.house.settings, WRITER)


@pytest.mark.long
def test_while_news_keeps_coming_it_is_told_now_and_then(run: Run) -> None:
    run.one("track", "a")
    for _ in range(int(TOLD_SECONDS)):
        assert not run.passes.are_to_be_told()
        run.now += QUIET_SECONDS
        run.passes._passed = run.now  # noqa: SLF001 - as by one more pass
    assert run.passes.are_to_be_told()


@pytest.mark.long
def test_what_the_passes_have_modelled_is_no_news(run: Run) -> None:
    run.one("track", "a")
    known = pending(run.house.settings)
    assert known.calls == ("track",)  # it is not counted yet

    assert run.passes.without_done(known).calls == ()


@pytest.mark.long
def test_what_somebody_else_has_loaded_meanwhile_is_not_taken_for_modelled(run: Run) -> None:
    run.one("track", "a")
    run.house.land("track", landed.line({"messageId": "b", "type": "track"}))
    load(run.house.settings)
    assert run.passes.without_done(pending(run.house.settings)).calls == ("track",)

    told = run.told()

    completeness = told[f"{FINAL}/completeness"]
    assert [check.passed for check in completeness.check_results or ()] == [True]
    assert completeness.metadata["waiting"] == 2  # of which load is not known
    assert run.passes.without_done(pending(run.house.settings)).calls == ("track",)
    run.one("track")
    assert run.told()[f"{FINAL}/completeness"].metadata["rows"] == 2
    assert run.shown("track") == {"a", "b"}


@pytest.mark.long
def test_a_field_that_somebody_else_has_placed_before_the_first_pass_has_its_values(
    run: Run,
) -> None:
    run.one("track", "a")
    later = Run(run.house, run.instance)
    event = {"messageId": "b", "type": "track", "event": "E", "properties": {"new": "hello"}}
    run.house.land("track", landed.line(event))
    load(run.house.settings)
    flags = SimpleNamespace(WHICH="run", EXCLUDE=(), SELECT=(), FULL_REFRESH=False)
    with writer_lock(run.house.settings):  # dbt has placed it, and is ended
        command._place_fields(run.house.settings, flags)  # noqa: SLF001 - a part of a command

    later.one("track", "c")

    shown = rows(run.house.settings, f"select properties__new from {FINAL}.track order by 1")
    assert shown == [("hello",), (None,), (None,)]


@pytest.mark.long
def test_what_somebody_else_has_loaded_between_two_passes_is_not_taken_for_modelled(
    run: Run,
) -> None:
    run.one("track", "a")
    run.house.land("track", landed.line({"messageId": "b", "type": "track"}))
    load(run.house.settings)
    run.one("identify", "c")
    assert run.passes.without_done(pending(run.house.settings)).calls == ("track",)

    completeness = run.told()[f"{FINAL}/completeness"]

    assert [check.passed for check in completeness.check_results or ()] == [True]
    assert (completeness.metadata["rows"], completeness.metadata["waiting"]) == (1, 2)
    assert run.passes.without_done(pending(run.house.settings)).calls == ("track",)
    run.one("track")
    assert run.told()[f"{FINAL}/completeness"].metadata["rows"] == 3
    assert run.shown("track") == {"a", "b"}


@pytest.mark.long
def test_of_a_warehouse_that_somebody_else_has_made_again_nothing_is_taken_for_modelled(
    run: Run, tmp_path: Path
) -> None:
    settings = run.house.settings
    older = shutil.copytree(settings.catalog.parent, tmp_path / "older")
    run.one("track", "a")
    shutil.rmtree(settings.catalog.parent)
    older.rename(settings.catalog.parent)
    restore_if_behind(settings)  # and died before the models
    run.one("identify", "b")

    assert run.passes.without_done(pending(settings)).calls == ("track",)
    completeness = run.told()[f"{FINAL}/completeness"]
    assert [check.passed for check in completeness.check_results or ()] == [True]
    run.one("track")
    assert run.shown("track") == {"a"}


@pytest.mark.long
def test_of_a_warehouse_that_a_pass_has_made_again_all_is_modelled(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.DagsterInstance, "add_run_tags", lambda *_: None)
    run.one("track", "a")
    shutil.rmtree(run.house.settings.catalog.parent)
    run.one("identify", "b")

    assert run.passes.without_done(pending(run.house.settings)).calls == ()
    completeness = run.told()[f"{FINAL}/completeness"]
    assert [check.passed for check in completeness.check_results or ()] == [True]
    assert completeness.metadata["rows"] == 2


@pytest.mark.long
def test_a_copy_that_was_received_earlier_becomes_the_row_in_a_later_pass(run: Run) -> None:
    late = landed.line(
        {"messageId": "m", "type": "track"}, received_at="2026-11-22T07:00:00.000000Z"
    )
    early = landed.line(
        {"messageId": "m", "type": "track"}, received_at="2026-11-22T05:00:00.000000Z"
    )
    for line in (late, early, late):
        run.house.land("track", line)
        run.passes.one(News(("track",), frozenset(), frozenset(), {}))

    (row,) = rows(run.house.settings, f"select hour(_sdc_received_at) from {FINAL}.track")
    assert row == (5,)
    completeness = run.told()[f"{FINAL}/completeness"]
    assert (completeness.metadata["rows"], completeness.metadata["duplicate"]) == (1, 2)
