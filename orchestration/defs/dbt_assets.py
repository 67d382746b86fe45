"""The dbt models as assets: ours, in the load's run, and a user's, in runs of their own."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
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
from orchestration.defs.table_metadata import final_metadata, said_before
from orchestration.models import run
from orchestration.models.own_models import FOLDERS, PROJECT
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE

MANIFEST = run.write_manifest(Settings())

OWN = " ".join(f"fqn:{PROJECT}.{folder}.*" for folder in FOLDERS)
"""Our models, in dbt's words; `is_own` says the same of one."""

NOT_RUN = "completeness loads delivery resource_type:seed resource_type:snapshot"
"""What is no asset of the models: a view whose asset is behind them, and what `dbt run` leaves."""


def _key(node: Mapping[str, Any]) -> dg.AssetKey:
    return dg.AssetKey([node["schema"], node["alias"]])


class Translator(DagsterDbtTranslator):
    """Call a model's asset what its table is called: schema, then name."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and name; dbt's own key for what is no model."""
        if dbt_resource_props["resource_type"] != "model":
            return super().get_asset_key(dbt_resource_props)
        return _key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The first folder, for a package its name; a folder may be called what no group may be."""
        package, folder = dbt_resource_props["fqn"][:2]
        return re.sub(r"\W", "_", folder if package == PROJECT else package, flags=re.ASCII)


def assets_of(
    name: str, select: str, exclude: str
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Make assets, in a step of that name, of models that are selected in dbt's words."""
    return dbt_assets(
        manifest=MANIFEST,
        project=DbtProject(project_dir=run.PROJECT_DIR, profiles_dir=ROOT),
        name=name,
        select=select,
        exclude=exclude,
        # the tests are checks of their own (defs/dbt_checks.py), and run without the models
        dagster_dbt_translator=Translator(DagsterDbtTranslatorSettings(enable_asset_checks=False)),
    )


@assets_of("models", select=OWN, exclude=NOT_RUN)
def models(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Run the selected models; those that went well are materialized, whatever became of others."""
    settings = Settings()
    results = run.run_models(settings, selectors(context.selected_asset_keys))
    yield from materialized(context, settings, results)


def selectors(keys: Iterable[dg.AssetKey]) -> list[str]:
    """What dbt is to be told to select so that it runs the models of some assets, and no others."""
    return [run.selector(nodes()[key]["fqn"]) for key in keys]


def materialized(
    context: dg.AssetExecutionContext,
    settings: Settings,
    results: Iterable[RunResult],
    more: Mapping[dg.AssetKey, Mapping[str, Any]] = MappingProxyType({}),
    shown_at: Mapping[dg.AssetKey, datetime] = MappingProxyType({}),
) -> Iterator[dg.MaterializeResult[None]]:
    """What a step says of its models, with what is more to be said of some.

    Args:
        context: The step's.
        settings: The settings.
        results: dbt's.
        more: What else is said of some.
        shown_at: When the oldest new rows of some could be read; of others: now.

    Yields:
        What is said of each model that went well.

    Raises:
        dg.Failure: some failed; after all that went well was said to be materialized.
    """
    results = list(results)
    done = [result for result in results if result.status == "success"]
    said = table_metadata(context.instance, settings, done, shown_at)
    for result in done:
        key = key_of(result)
        metadata: dict[str, Any] = {"seconds": round(result.execution_time, 2)}
        metadata |= {**said.get(key, {}), **more.get(key, {})}
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    failed = run.failures(results)
    if failed:
        # the sensor tells by it that all else of the run was done
        names = sorted(result.node.name for result in results if result.status != "success")
        context.instance.add_run_tags(context.run_id, {FAILED_MODELS: ", ".join(names)[:250]})
        raise dg.Failure("\n".join(failed))


def key_of(result: RunResult) -> dg.AssetKey:
    """The asset of a model that dbt has run."""
    node: Any = result.node  # of many kinds; a model has both
    return dg.AssetKey([node.schema, node.alias])


def table_metadata(
    instance: dg.DagsterInstance,
    settings: Settings,
    results: Iterable[RunResult],
    shown_at: Mapping[dg.AssetKey, datetime] = MappingProxyType({}),
) -> dict[dg.AssetKey, dict[str, Any]]:
    """What is said of what some models have made in the final tables' schema."""
    ours = [result for result in results if result.node.schema == settings.schema_name]
    said: dict[dg.AssetKey, dict[str, Any]] = {}
    if not ours:
        return said
    with connect(settings, read_only=True) as con:
        for result in ours:
            key = key_of(result)
            if key in _FINAL:
                before = said_before(instance, key)
                at = shown_at.get(key) or datetime.now(UTC)
                said[key] = final_metadata(con, settings, key.path[-1], before, at)
            else:
                relation = result.node.relation_name
                row = con.execute(f"select count(*) from {relation}").fetchone()  # noqa: S608 - dbt's name
                said[key] = {"dagster/row_count": row[0] if row else 0}
    return said


_FINAL = {dg.AssetKey([Settings().schema_name, call]) for call in WITH_TABLE}


@cache
def nodes() -> dict[dg.AssetKey, dict[str, Any]]:
    """The manifest's models by their assets."""
    read = json.loads(MANIFEST.read_bytes())["nodes"].values()
    return {_key(node): node for node in read if node["resource_type"] == "model"}
