"""The dbt models as assets: ours, in the load's run, and a user's, in runs of their own."""

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
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
from orchestration.defs.asset_details import CODE, code_at, valid_owners
from orchestration.defs.model_columns import Parent, columns_metadata
from orchestration.defs.sensor import FAILED_MODELS
from orchestration.defs.table_metadata import final_metadata, said_before
from orchestration.models import run
from orchestration.models.manifest import write_manifest
from orchestration.models.own_models import FOLDERS, PROJECT, is_own
from orchestration.models.project_files import PROJECT_DIR
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.raw_tables import WITH_TABLE

MANIFEST = write_manifest(Settings())

OWN = " ".join(f"fqn:{PROJECT}.{folder}.*" for folder in FOLDERS)
"""Our models, in dbt's words; `is_own` says the same of one."""

SHOWN_BEHIND = ("completeness", "segment_loads", "segment_delivery")
"""Our views whose assets are behind the models, by dbt's names."""

NOT_RUN = " ".join(
    [
        # with their folder: a bare word is also any folder or package of a user's of that name
        *(f"fqn:{PROJECT}.segment.{name}" for name in SHOWN_BEHIND),
        *("resource_type:seed", "resource_type:snapshot"),
    ]
)
"""What is no asset of the models: those views, and what `dbt run` leaves."""


VIEWS = {"view", "lasting_view", "view_set"}
"""dbt's materializations that keep no rows."""


def _key(node: Mapping[str, Any]) -> dg.AssetKey:
    return dg.AssetKey([node["schema"], node["alias"]])


class Translator(DagsterDbtTranslator):
    """Call a model's asset what its table is called: schema, then name."""

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        """As dbt describes it, and whether it is a view, who owns it, and where its SQL is."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        props = self.get_resource_props(manifest, unique_id)
        if props["resource_type"] != "model":
            return spec
        settings = Settings()
        kind = "view" if props["config"]["materialized"] in VIEWS else "table"
        package = props["package_name"]
        folder = Path() if package == PROJECT else Path("dbt_packages", package)
        file = PROJECT_DIR / folder / props["original_file_path"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)
            return spec.replace_attributes(
                kinds={*spec.kinds, kind},
                owners=spec.owners or settings.owners,
                metadata={**spec.metadata, CODE: code_at(file, settings)},
                is_virtual=kind == "view",  # it shows what is new below it, and is never behind
            )

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        """As `meta: {dagster: {owners: […]}}` or dbt's group says."""
        said = super().get_owners(dbt_resource_props) or ()
        return valid_owners([said] if isinstance(said, str) else said)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """Of ours the words alone: the SQL is a call of a macro, and a link leads to it."""
        if dbt_resource_props["resource_type"] == "model" and is_own(dbt_resource_props["fqn"]):
            return str(dbt_resource_props["description"])
        return super().get_description(dbt_resource_props)

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
        project=DbtProject(project_dir=PROJECT_DIR, profiles_dir=ROOT),
        name=name,
        select=select,
        exclude=exclude,
        dagster_dbt_translator=TRANSLATOR,
    )


# the tests are checks of their own (defs/dbt_checks.py), and run without the models
TRANSLATOR = Translator(DagsterDbtTranslatorSettings(enable_asset_checks=False))


def model_spec(name: str) -> dg.AssetSpec:
    """What is said of one of our models, by dbt's name."""
    return TRANSLATOR.get_asset_spec(manifest(), f"model.{PROJECT}.{name}", None)


def table_of(name: str) -> dict[str, Any]:
    """What is said of the relation of one of our models that has an asset of its own."""
    said = model_spec(name).metadata
    return {key: value for key, value in said.items() if key.startswith("dagster/")}


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
    """What is said of what some models have made: rows in the final tables' schema, and columns."""
    results = list(results)
    said: dict[dg.AssetKey, dict[str, Any]] = {}
    if not results:
        return said
    with connect(settings, read_only=True) as con:
        for result in results:
            key, node = key_of(result), result.node
            before = said_before(instance, key)
            said[key] = {}
            if key in _FINAL:
                at = shown_at.get(key) or datetime.now(UTC)
                said[key] = final_metadata(con, settings, key.path[-1], before, at)
            elif node.schema == settings.schema_name:
                row = con.execute(f"select count(*) from {node.relation_name}").fetchone()  # noqa: S608 - dbt's name
                said[key] = {"dagster/row_count": row[0] if row else 0}
            said[key] |= columns_metadata(con, node, said[key], before, parents())
    return said


_FINAL = {dg.AssetKey([Settings().schema_name, call]) for call in WITH_TABLE}


@cache
def nodes() -> dict[dg.AssetKey, dict[str, Any]]:
    """The manifest's models by their assets."""
    read = manifest()["nodes"].values()
    return {_key(node): node for node in read if node["resource_type"] == "model"}


@cache
def parents() -> dict[str, Parent]:
    """What models may read, by dbt's ids."""
    read = manifest()
    found = {
        source["unique_id"]: Parent(
            (source["schema"], source["identifier"]), TRANSLATOR.get_asset_key(source)
        )
        for source in read["sources"].values()
    }
    for key, node in nodes().items():
        found[node["unique_id"]] = Parent((node["schema"], node["alias"]), key)
    return found


@cache
def manifest() -> dict[str, Any]:
    """All that dbt knows of the project."""
    read: dict[str, Any] = json.loads(MANIFEST.read_bytes())
    return read
