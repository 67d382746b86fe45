"""dbt's tests are checks of Dagster's that can be run, each by itself, and change nothing."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import defs
from orchestration.defs.completeness_result import ACCOUNTED_FOR
from orchestration.defs.dbt_assets import MANIFEST, models
from orchestration.defs.dbt_checks import (
    at_first,
    check_specs,
    checks_job,
    dbt_checks,
    every_day,
)
from orchestration.defs.load_job import load_job
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.writer_lock import writer_lock
from tests.support.house import House
from tests.support.warehouse import reading

TRACK = dg.AssetKey(["segment", "track"])
UNIQUE = dg.AssetCheckKey(TRACK, "unique_track_message_id")
NOT_NULL = dg.AssetCheckKey(TRACK, "not_null_track_message_id")

Manifest = dict[str, Any]


@pytest.fixture
def manifest() -> Manifest:
    """The project's own."""
    read: Manifest = json.loads(MANIFEST.read_bytes())
    return read


@pytest.fixture
def twice(own_house: House, prepared_house: Path) -> Settings:
    """A house in which a message has two rows."""
    settings = own_house.move_in(prepared_house).settings
    with writer_lock(settings), connect(settings) as con:
        con.execute(
            "insert into segment.track by name "
            "select 'a' as message_id, 'track' as type from range(2)"
        )
    return settings


def _with_tests(manifest: Manifest, **tests: dict[str, Any]) -> Manifest:
    """The manifest with tests that a user has added, of what they read and how they are set."""
    node = next(n for n in manifest["nodes"].values() if n["resource_type"] == "test")
    for name, values in tests.items():
        unique_id = f"test.seamline.{name}"
        reads = values.pop("reads")
        manifest["nodes"][unique_id] = (
            node
            | {"name": name, "fqn": ["seamline", name], "attached_node": None}
            | {"unique_id": unique_id, "depends_on": {"macros": [], "nodes": reads}}
            | values
        )
        manifest["parent_map"][unique_id] = reads
    return manifest


def _execute(*keys: dg.AssetCheckKey) -> dg.ExecuteInProcessResult:
    """What *Execute* in Dagster does with these checks."""
    job = defs.get_repository_def().get_job(checks_job.name)
    with dg.DagsterInstance.ephemeral() as instance:
        return job.get_subset(asset_check_selection=set(keys)).execute_in_process(instance=instance)


def _checks_of(job: str) -> set[dg.AssetCheckKey]:
    return set(defs.get_repository_def().get_job(job).asset_layer.asset_graph.asset_check_keys)


def _snapshots(settings: Settings) -> Any:
    with reading(settings) as con:
        return con.execute("select max(snapshot_id) from ducklake_snapshots('seamline')").fetchone()


def test_every_test_of_the_project_is_a_check_that_does_not_block(manifest: Manifest) -> None:
    tests = {u for u, node in manifest["nodes"].items() if node["resource_type"] == "test"}

    assert set(check_specs(manifest)) == tests
    assert len({spec.key for spec in dbt_checks.check_specs}) == len(tests) == 26
    assert not [spec.name for spec in dbt_checks.check_specs if spec.blocking]


def test_the_models_have_no_checks_that_would_run_them_anew() -> None:
    assert not models.check_keys


def test_a_test_that_a_user_wrote_is_a_check_of_the_first_table_it_reads(
    manifest: Manifest,
) -> None:
    track, page = "model.seamline.track", "model.seamline.page"
    column_table = "source.seamline.columns.placement"
    ref = {"meta": {"dagster": {"ref": {"name": "page"}}}}
    tests = _with_tests(
        manifest,
        of_one={"reads": [page]},
        of_two={"reads": [track, page]},
        of_two_and_said={"reads": [track, page], "config": ref},
        of_a_source={"reads": [column_table]},
        of_none={"reads": []},
    )

    specs = check_specs(tests)

    assert {
        unique_id.rpartition(".")[2]: spec.asset_key.to_user_string()
        for unique_id, spec in specs.items()
        if spec.name.startswith("of_")
    } == {
        "of_one": "segment/page",
        "of_two": "segment/track",
        "of_two_and_said": "segment/page",
        "of_a_source": "columns/placement",
        "of_none": "seamline/tests",
    }


def test_a_test_with_a_name_that_dagster_cannot_have_is_a_check_all_the_same(
    manifest: Manifest,
) -> None:
    page = "model.seamline.page"
    tests = {"no-page.is empty": {"reads": [page]}, "no_page_is_empty": {"reads": [page]}}

    specs = check_specs(_with_tests(manifest, **tests))

    names = [specs[f"test.seamline.{name}"].name for name in tests]
    assert names == ["no_page_is_empty_2", "no_page_is_empty"]
    dg.multi_asset_check(name="all", specs=list(specs.values()), can_subset=True)(lambda: None)


def test_a_check_runs_its_test_and_no_other_and_rebuilds_nothing_beside_a_writer(
    twice: Settings,
) -> None:
    before = _snapshots(twice)

    with writer_lock(twice):
        done = _execute(UNIQUE)

    (check,) = done.get_asset_check_evaluations()
    assert (check.asset_check_key, check.passed) == (UNIQUE, False)
    assert done.get_asset_materialization_events() == []
    assert _snapshots(twice) == before


@pytest.mark.long
def test_a_test_that_fails_fails_neither_the_run_nor_other_tests(twice: Settings) -> None:
    with writer_lock(twice), connect(twice) as con:
        con.execute("alter table segment.page drop column message_id")
    broken = dg.AssetCheckKey(dg.AssetKey(["segment", "page"]), "unique_page_message_id")

    done = _execute(UNIQUE, NOT_NULL, broken)

    checks = {check.asset_check_key: check for check in done.get_asset_check_evaluations()}
    assert done.success
    assert {key: check.passed for key, check in checks.items()} == {
        UNIQUE: False,
        NOT_NULL: True,
        broken: False,
    }
    assert checks[UNIQUE].severity is dg.AssetCheckSeverity.ERROR
    assert checks[UNIQUE].metadata["failures"].value == 1
    assert "having count(*) > 1" in str(checks[UNIQUE].metadata["query"].value)
    assert "1 result" in str(checks[UNIQUE].description)
    assert "message_id" in str(checks[broken].description)


def test_they_run_every_day_and_never_behind_a_load() -> None:
    ours = {spec.key for spec in dbt_checks.check_specs}

    assert every_day.default_status is dg.DefaultScheduleStatus.RUNNING
    assert ours == _checks_of(checks_job.name)
    assert _checks_of(load_job.name) == {ACCOUNTED_FOR}


def test_they_are_asked_for_once_behind_the_first_load_and_once_if_some_are_new() -> None:
    with dg.instance_for_test() as instance:
        before = at_first(dg.build_sensor_context(instance))
        instance.report_runless_asset_event(dg.AssetMaterialization(ACCOUNTED_FOR.asset_key))
        context = dg.build_sensor_context(instance)
        first = at_first(context)
        again = at_first(dg.build_sensor_context(instance, cursor=context.cursor))
        others = at_first(dg.build_sensor_context(instance, cursor="of other tests"))

    assert isinstance(before, dg.SkipReason)
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.SkipReason)
    assert isinstance(others, dg.RunRequest)
    # tests may come back that were there before: Dagster asks once in its life for one key
    assert (first.run_key, others.run_key) == (None, None)
