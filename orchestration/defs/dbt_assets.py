"""The dbt models as assets, downstream of the raw tables and in the same run."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)
from dbt.artifacts.schemas.run import RunResult

from landed.settings import ROOT
from orchestration.defs.sensor import FAILED_MODELS
from orchestration.models import run
from orchestration.models.own_models import PROJECT, is_own
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

MANIFEST = run.write_manifest(Settings())


NOT_RUN = "completeness resource_type:seed resource_type:snapshot"
"""What is no asset of the models: a view whose asset is behind them, and what `dbt run` leaves."""


class Translator(DagsterDbtTranslator):
    """Call a model's asset what its table is called: schema, then name."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """Dbt's own spec, with our key and group."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id)
        if node is None or node["resource_type"] != "model":
            return spec
        package, folder = node["fqn"][:2]
        return spec.replace_attributes(
            key=dg.AssetKey([node["schema"], node["name"]]),
            group_name=folder if package == PROJECT else package,
        )


@dbt_assets(
    manifest=MANIFEST,
    project=DbtProject(project_dir=run.PROJECT_DIR, profiles_dir=ROOT),
    name="models",
    exclude=NOT_RUN,
    # the tests are checks of their own (defs/dbt_checks.py), and run without the models
    dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_asset_checks=False)),
)
def models(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Run the selected models; those that went well are materialized, whatever became of others."""
    settings = Settings()
    selected = {key.path[-1]: key for key in context.selected_asset_keys}
    results = run.run_models(settings, selected)
    for result in results:
        if result.status == "success":
            yield dg.MaterializeResult(
                asset_key=selected[result.node.name], metadata=table_metadata(settings, result)
            )
    failed = run.failures(results)
    if failed:
        # the sensor tells by it that all else of the run was done
        names = sorted(result.node.name for result in results if result.status != "success")
        context.instance.add_run_tags(context.run_id, {FAILED_MODELS: ", ".join(names)[:250]})
        raise dg.Failure("\n".join(failed))


def table_metadata(settings: Settings, result: RunResult) -> dict[str, Any]:
    """What a materialization says: how long it took, and how many rows a final table has now."""
    metadata: dict[str, Any] = {"seconds": round(result.execution_time, 2)}
    if result.node.schema == settings.schema_name:
        with connect(settings, read_only=True) as con:
            table = result.node.relation_name
            row = con.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - dbt's name
        metadata["dagster/row_count"] = row[0] if row else 0
    return metadata


@cache
def own_models() -> frozenset[dg.AssetKey]:
    """The models that come with the project, without those that a user has added."""
    nodes = json.loads(MANIFEST.read_bytes())["nodes"].values()
    own = {
        dg.AssetKey([node["schema"], node["name"]])
        for node in nodes
        if node["resource_type"] == "model" and is_own(node["fqn"])
    }
    return frozenset(own & set(models.keys))
