"""What fails is tried again, ever more seldom, and holds up nothing else."""

import time
from datetime import timedelta
from types import SimpleNamespace

import dagster as dg
import pytest

from orchestration.defs.completeness_asset import COMPLETENESS, completeness
from orchestration.defs.load_job import OWN, load_job
from orchestration.defs.run_process import run_process
from orchestration.defs.sensor import FAILED_MODELS
from orchestration.loading.load import load
from orchestration.models import back_off, pending_models
from orchestration.models import run as dbt
from orchestration.models.back_off import FIRST_SECONDS, LONGEST_SECONDS
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.defs.test_sensor import _started_run, tick, wanted
from tests.support import landed


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture(autouse=True)
def _house(settings: Settings) -> None:
    """Every test has a house of its own."""


def _fail(instance: dg.DagsterInstance, tags: dict[str, str] | None = None) -> dg.DagsterRun:
    run = _started_run(instance)
    instance.add_run_tags(run.run_id, tags or {})
    instance.report_run_failed(run)
    return run


def _in(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: then)


def _note(settings: Settings, went_well: list[str], failed: list[str]) -> None:
    with writer_lock(settings), connect(settings) as con:
        back_off.note(con, went_well, failed)


def _asks(instance: dg.DagsterInstance) -> bool:
    return isinstance(tick(instance), dg.SensorResult)


def test_the_pause_doubles_with_each_failure_up_to_half_an_hour() -> None:
    pauses = [back_off.pause(failures) for failures in range(1, 2000)]

    assert pauses[:4] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS, 8 * FIRST_SECONDS]
    assert max(pauses) == pauses[-1] == LONGEST_SECONDS


def test_after_four_failures_in_a_row_the_next_try_is_eight_times_as_far(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        _fail(instance)

    with monkeypatch.context() as soon:
        _in(7 * FIRST_SECONDS, soon)
        assert not _asks(instance)
    _in(8 * FIRST_SECONDS + 5, monkeypatch)
    assert _asks(instance)


def test_a_day_of_failures_is_fifty_runs_and_not_three_thousand(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    runs = 0
    while seconds < timedelta(days=1).total_seconds():
        runs += 1
        seconds += back_off.pause(runs)

    assert runs < 60
    for _ in range(25):
        _fail(instance)
    _in(LONGEST_SECONDS + 5, monkeypatch)
    assert _asks(instance)


def test_a_tick_that_waits_says_which_run_failed_and_when_the_next_is_tried(
    instance: dg.DagsterInstance,
) -> None:
    run = _fail(instance)

    said = str(tick(instance).skip_message)  # type: ignore[union-attr]

    assert run.run_id in said
    assert "The next try is at" in said
    assert "doubles" in said
    assert "as did" not in said  # none before it
    _fail(instance)
    assert "as did the 1 before it" in str(tick(instance).skip_message)  # type: ignore[union-attr]


def test_a_run_that_went_well_ends_it(instance: dg.DagsterInstance, settings: Settings) -> None:
    _fail(instance)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, load_job.name),
        run_id=_started_run(instance).run_id,
    )
    landed.land(settings.landing, "track", landed.line({"messageId": "m"}))

    assert "segment/track" in wanted(tick(instance))


def test_a_model_that_failed_rests_while_all_others_go_on(
    instance: dg.DagsterInstance, made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(made_warehouse, [], ["page", "pages"])
    _fail(instance, {FAILED_MODELS: "page, pages"})
    for call in ("page", "track"):
        landed.land(made_warehouse.landing, call, landed.line({"messageId": call}))

    now = wanted(tick(instance))

    assert {"raw/page", "raw/track", "segment/track", "segment_warehouse/tracks"} <= now
    assert not {"segment/page", "segment_warehouse/pages"} & now
    _in(FIRST_SECONDS + 1, monkeypatch)
    assert {"segment/page", "segment_warehouse/pages"} <= wanted(tick(instance))


def test_a_model_that_failed_alone_is_tried_again_though_no_file_waits(
    instance: dg.DagsterInstance, made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _note(made_warehouse, [], ["page"])

    said = tick(instance)
    assert isinstance(said, dg.SkipReason)
    assert "page (failed once; the next try is at" in str(said.skip_message)

    _in(FIRST_SECONDS + 1, monkeypatch)
    assert wanted(tick(instance)) == {"segment/page", "segment/completeness"}
    _note(made_warehouse, ["page"], [])
    assert isinstance(tick(instance), dg.SkipReason)


def test_the_load_takes_the_projects_own_assets_and_no_others() -> None:
    @dg.asset
    def of_a_user() -> None:
        raise RuntimeError("of no concern to a load")

    from orchestration.definitions import defs  # noqa: PLC0415

    more = dg.Definitions.merge(defs, dg.Definitions(assets=[of_a_user]))
    layer = more.get_repository_def().get_job(load_job.name).asset_layer

    assert set(layer.selected_asset_keys) == OWN


def test_what_other_models_did_counts_though_one_has_failed(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in ("page", "track"):
        landed.land(made_warehouse.landing, call, landed.line({"messageId": call}))
    load(made_warehouse)
    statuses = {"track": "success", "page": "error", "pages": "skipped"}
    results = [
        SimpleNamespace(
            execution_time=0.1,
            node=SimpleNamespace(name=name, fqn=["seamline", "segment", name]),
            status=status,
            message="",
        )
        for name, status in statuses.items()
    ]
    monkeypatch.setattr(dbt, "_invoke", lambda *_: results)

    dbt.run_models(made_warehouse)

    left = pending_models.pending(made_warehouse)
    assert left.calls == ("page",)
    assert set(left.failing) == {"page", "pages"}


def test_a_model_that_fails_again_is_counted_until_it_goes_well(made_warehouse: Settings) -> None:
    _note(made_warehouse, [], ["page"])
    _note(made_warehouse, ["track"], ["page"])

    (page,) = pending_models.pending(made_warehouse).failing.values()
    assert page.times == 2
    assert abs(page.last - time.time()) < 600

    _note(made_warehouse, ["page"], [])
    assert not pending_models.pending(made_warehouse).failing


def test_a_warehouse_of_a_version_that_noted_no_failures_has_none(
    made_warehouse: Settings,
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute("drop table raw.failing_model")

    assert pending_models.pending(made_warehouse).failing == {}


def test_a_packages_model_of_the_name_of_ours_says_nothing_of_ours(
    made_warehouse: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for call in ("page", "track"):
        landed.land(made_warehouse.landing, call, landed.line({"messageId": call}))
    load(made_warehouse)
    results = [
        SimpleNamespace(
            execution_time=0.1,
            node=SimpleNamespace(
                name=name, fqn=["pkg", "segment", name], unique_id=f"model.pkg.{name}"
            ),
            status=status,
            message="",
        )
        for name, status in {"track": "success", "page": "error"}.items()
    ]
    monkeypatch.setattr(dbt, "_invoke", lambda *_: results)

    dbt.run_models(made_warehouse)

    left = pending_models.pending(made_warehouse)
    assert left.calls == ("page", "track")
    assert set(left.failing) == {"model.pkg.page"}


def test_sums_that_do_not_hold_are_an_alarm_and_no_failure_of_the_load(
    made_warehouse: Settings,
) -> None:
    with writer_lock(made_warehouse), connect(made_warehouse) as con:
        con.execute(
            "insert into raw.completeness by name select 'track' as call, 'web' as source, "
            "timestamp '2026-11-22 05:00' as hour, 2 as received, 1 as loaded, 0 as rejected, "
            "0 as waiting, 1 as rows, 0 as duplicate"
        )

    done = dg.materialize([completeness], resources={"run_process": run_process})

    assert done.success
    check, *_behind = done.get_asset_check_evaluations()
    assert (check.asset_key, check.passed) == (COMPLETENESS, False)
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert not check.blocking
