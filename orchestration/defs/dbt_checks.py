"""dbt's data tests as asset checks, each by itself.

They are run once behind the first load, and so are those that are new; then once a day, and when
somebody asks for them.
"""

import json
import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslatorSettings
from dbt.artifacts.schemas.results import TestStatus
from dbt.artifacts.schemas.run import RunResult

from orchestration.defs.completeness_result import COMPLETENESS
from orchestration.defs.dbt_assets import MANIFEST, Translator
from orchestration.models import run
from orchestration.settings import Settings

Manifest = Mapping[str, Any]

WITHOUT_TABLE = "tests"
"""Below the package's name: the asset of tests that read no model and no source."""


def check_specs(manifest: Manifest) -> dict[str, dg.AssetCheckSpec]:
    """A check for each data test, by dbt's id, on the table that the test is about.

    That is what dbt or the test itself says (`meta: {dagster: {ref: {name: …}}}`), else the first
    that it reads.
    """
    translator = Translator(DagsterDbtTranslatorSettings(enable_asset_checks=True))
    specs: dict[str, dg.AssetCheckSpec] = {}
    taken: set[dg.AssetCheckKey] = set()
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    # names that Dagster can have stay as they are, whatever other tests there are
    for node in sorted(tests, key=lambda node: (node["name"] != _name(node), node["unique_id"])):
        spec = _spec(manifest, translator, node)
        number = 1
        while spec.key in taken:
            number += 1
            spec = spec.replace_key(dg.AssetCheckKey(spec.asset_key, f"{_name(node)}_{number}"))
        taken.add(spec.key)
        specs[node["unique_id"]] = spec
    return specs


def _spec(manifest: Manifest, translator: Translator, node: Mapping[str, Any]) -> dg.AssetCheckSpec:
    parents = [
        translator.get_asset_spec(manifest, parent, None) for parent in node["depends_on"]["nodes"]
    ]
    said = (
        translator.get_asset_check_spec(parent, manifest, node["unique_id"], None)
        for parent in parents
    )
    about = next((spec.asset_key for spec in said if spec), None)
    if about is None:
        nothing = dg.AssetKey([node["package_name"], WITHOUT_TABLE])
        about = parents[0].key if parents else nothing
    return dg.AssetCheckSpec(
        _name(node),
        asset=about,
        additional_deps={parent.key for parent in parents} - {about},
        description=node["description"] or None,
        blocking=False,  # what a test finds is an alarm: models and loads go on
    )


def _name(node: Mapping[str, Any]) -> str:
    """As Dagster lets it be: a singular test is called what its file is."""
    return re.sub(r"\W", "_", node["name"], flags=re.ASCII)


_MANIFEST = json.loads(MANIFEST.read_bytes())
_SPECS = check_specs(_MANIFEST)


@dg.multi_asset_check(
    name="dbt_tests",
    specs=list(_SPECS.values()),
    can_subset=True,
    compute_kind="dbt",
    description="dbt's tests. They read whole tables, and change none.",
)
def dbt_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
    """Run the tests of the selected checks, and say what became of each."""
    selected = {
        unique_id: spec.key
        for unique_id, spec in _SPECS.items()
        if spec.key in context.selected_asset_check_keys
    }
    tests = [_MANIFEST["nodes"][unique_id]["fqn"] for unique_id in selected]
    results = {result.node.unique_id: result for result in run.run_tests(Settings(), tests)}
    for unique_id, key in selected.items():
        yield _result(key, results.get(unique_id))


def _result(key: dg.AssetCheckKey, result: RunResult | None) -> dg.AssetCheckResult:
    if result is None:
        return dg.AssetCheckResult(
            passed=False,
            asset_key=key.asset_key,
            check_name=key.name,
            description="dbt has no such test any more: reload the definitions.",
        )
    is_warning = result.status == TestStatus.Warn
    metadata: dict[str, Any] = {
        "status": str(result.status),
        "query": dg.MetadataValue.md(f"```sql\n{getattr(result.node, 'compiled_code', '')}\n```"),
        "seconds": round(result.execution_time, 2),
    }
    if result.failures is not None:
        metadata["failures"] = result.failures
    return dg.AssetCheckResult(
        passed=result.status == TestStatus.Pass,
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        asset_key=key.asset_key,
        check_name=key.name,
        description=result.message,
        metadata=metadata,
    )


checks_job = dg.define_asset_job(
    "checks",
    selection=dg.AssetSelection.checks(dbt_checks),
    description="Run dbt's tests; those that fail fail no run and no load.",
)

every_day = dg.ScheduleDefinition(
    name="checks_every_day",
    job=checks_job,
    cron_schedule="23 3 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night, as they read whole tables.",
)

_TESTS = sha256("\n".join(sorted(_SPECS)).encode()).hexdigest()[:16]


@dg.sensor(
    name="checks_at_first",
    job=checks_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks once for dbt's tests behind the first load, and once after some are new.",
)
def at_first(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run, so that no check is one that was never made."""
    if context.cursor == _TESTS:
        return dg.SkipReason("All tests have been run once; checks_every_day runs them again.")
    if context.instance.get_latest_materialization_event(COMPLETENESS) is None:
        return dg.SkipReason("Nothing is loaded yet.")
    context.update_cursor(_TESTS)
    return dg.RunRequest()  # with no key: of tests that were there before Dagster would ask no more
