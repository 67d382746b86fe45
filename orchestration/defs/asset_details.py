"""What an asset has beside what makes it: who owns it, where its code is, how old it may be."""

import inspect
import warnings
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from landed.settings import ROOT
from orchestration.defs.landing_assets import LANDING
from orchestration.defs.sensor import UPKEEP
from orchestration.settings import Settings

CODE = "dagster/code_references"
TABLE_NAME = "dagster/table_name"


def with_details(
    assets: Iterable[dg.AssetsDefinition | dg.AssetSpec],
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Add what our assets have, as far as they do not say it themselves."""
    return [_with_details(asset, Settings()) for asset in assets]


def _with_details(
    asset: dg.AssetsDefinition | dg.AssetSpec, settings: Settings
) -> dg.AssetsDefinition | dg.AssetSpec:
    def detailed(spec: dg.AssetSpec) -> dg.AssetSpec:
        if CODE not in spec.metadata and isinstance(asset, dg.AssetsDefinition):
            spec = spec.merge_attributes(metadata={CODE: code_of(_function(asset), settings)})
        if not spec.owners:
            spec = spec.replace_attributes(owners=settings.owners)
        if not spec.kinds:
            spec = spec.replace_attributes(kinds={"python"})
        window = _window(spec, settings)
        return dg.apply_freshness_policy(spec, window) if window else spec

    if isinstance(asset, dg.AssetSpec):
        return detailed(asset)
    return asset.map_asset_specs(detailed)


def _function(asset: dg.AssetsDefinition) -> Callable[..., Any]:
    compute: Any = asset.op.compute_fn
    function: Callable[..., Any] = getattr(compute, "decorated_fn", compute)
    return function


def code_of(function: Callable[..., Any], settings: Settings) -> dg.CodeReferencesMetadataValue:
    """The link to a function."""
    file = inspect.getsourcefile(function)
    return code_at(Path(str(file)), settings, inspect.getsourcelines(function)[1])


def code_at(
    file: Path, settings: Settings, line: int | None = None
) -> dg.CodeReferencesMetadataValue:
    """The link to a file: to a page of the repository's, if the settings know one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(code_references=[_reference(file, settings, line)])


def _reference(
    file: Path, settings: Settings, line: int | None
) -> dg.LocalFileCodeReference | dg.UrlCodeReference:
    if settings.code_url is None or not file.is_relative_to(ROOT):
        return dg.LocalFileCodeReference(file_path=str(file), line_number=line)
    page = f"{str(settings.code_url).rstrip('/')}/{file.relative_to(ROOT).as_posix()}"
    return dg.UrlCodeReference(url=f"{page}#L{line}" if line else page)


def valid_owners(owners: Iterable[object]) -> list[str]:
    """Those that Dagster takes: it refuses all definitions for one that is written wrongly."""
    return [owner for owner in owners if isinstance(owner, str) and _is_owner(owner)]


def _is_owner(owner: str) -> bool:
    try:
        dg.AssetSpec("any", owners=[owner])
    except dg.DagsterInvalidDefinitionError:
        return False
    return True


def _window(spec: dg.AssetSpec, settings: Settings) -> dg.FreshnessPolicy | None:
    """How old the last materialization may be, of what has one by the clock.

    A table has one when there is news: a source that is quiet would make it look late.
    """
    hours = {UPKEEP: settings.alarm_upkeep_hours}.get(spec.group_name or "")
    if spec.key == LANDING:
        hours = settings.alarm_landing_hours
    if hours is None:
        return None
    fail = timedelta(hours=hours)
    return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=fail / 2)
