"""A user's models: assets with runs of their own, after loads that bring news or by the clock.

docs/decisions/0026-marts-beside-loads.md says why they are in no load's run.
"""

import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import dagster as dg

from orchestration.defs.dbt_assets import (
    NOT_RUN,
    OWN,
    VIEWS,
    assets_of,
    materialized,
    nodes,
    selectors,
)
from orchestration.defs.sensor import runs_on_their_way, what_rests
from orchestration.models import run
from orchestration.models.pending_models import pending
from orchestration.settings import Settings
from orchestration.warehouse.catalog import tables, views
from orchestration.warehouse.catalogs import catalog_of
from orchestration.warehouse.connection import connect
from orchestration.warehouse.errors import WarehouseUnusableError
from orchestration.warehouse.locks import MARTS as MARTS_LOCK

log = logging.getLogger(__name__)

MARTS = "marts"
"""The job's name."""

NEWS = "newest_parent"
"""In a materialization: Dagster's number of what had come to the model's tables by then."""

_CODE_VERSION = "dagster/code_version"


@assets_of("your_models", select="resource_type:model", exclude=f"{OWN} {NOT_RUN}")
def marts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Run the selected models beside loads; those that went well are materialized."""
    settings = Settings()
    keys = context.selected_asset_keys
    news = {key: {NEWS: number} for key, number in newest_parents(context.instance, keys).items()}
    results = run.run_marts(settings, selectors(keys))
    yield from materialized(context, settings, results, news)


marts_job = dg.define_asset_job(
    MARTS,
    selection=dg.AssetSelection.assets(*marts.keys).without_checks(),
    description="Run all models of your own. Loads go on meanwhile.",
)


@dg.sensor(
    name="marts_after_loads",
    job_name=MARTS,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks for a run of those of your models whose tables have news, or which changed.",
)
def after_loads(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Ask for one run, without models that rest after a failure or go by the clock."""
    settings = Settings()
    running = runs_on_their_way(context.instance, settings, MARTS, lock=MARTS_LOCK)
    if running:
        return dg.SkipReason(
            f"Run {running[0]} makes your models just now; what comes meanwhile the next one has."
        )
    try:
        if not catalog_of(settings).exists():
            return dg.SkipReason("Nothing was loaded yet, so your models have nothing to read.")
    except WarehouseUnusableError as error:
        return dg.SkipReason(f"What your models lack is not known: {error}")
    failing = pending(settings).failing
    mine = {nodes()[key]["unique_id"] for key in marts.keys}
    resting = {
        name: failed
        for name, failed in failing.items()
        if name in mine and time.time() < failed.due
    }
    wanted = [
        key
        for key in stale_marts(context.instance, settings)
        if nodes()[key]["unique_id"] not in resting
    ]
    if not wanted:
        return dg.SkipReason(
            "Nothing has come to the tables that your models read since they were made. "
            f"{what_rests(resting)}".strip()
        )
    return dg.RunRequest(asset_selection=wanted)


def stale_marts(instance: dg.DagsterInstance, settings: Settings) -> list[dg.AssetKey]:
    """The models for which something has changed since they were run, but for those by the clock.

    A view shows news by itself, and is made again only if it is gone or its SQL is another.
    """
    made = _materializations(instance, marts.keys)
    news = newest_parents(instance, marts.keys)
    with connect(settings, read_only=True) as con:
        there = tables(con) | views(con)
    found = []
    for spec in marts.specs:
        _, last = made.get(spec.key, (0, None))
        if last is None or last.tags is None:
            is_due = news[spec.key] > 0  # not before the first load, which has enough to do
        else:
            is_view = nodes()[spec.key]["config"]["materialized"] in VIEWS
            is_due = last.tags.get(_CODE_VERSION) != spec.code_version or (
                not is_view and news[spec.key] > _news_in(last)
            )
        if (is_due or tuple(spec.key.path) not in there) and spec.key not in TIMED:
            found.append(spec.key)
    return found


def newest_parents(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, int]:
    """Model → Dagster's number of the newest materialization that it reads from; 0 for none.

    Asked for before the models are run: what comes while they are is not in them.
    """
    wanted = set(keys)
    parents = {
        spec.key: [dep.asset_key for dep in spec.deps] for spec in marts.specs if spec.key in wanted
    }
    made = _materializations(instance, {one for many in parents.values() for one in many})
    return {
        key: max((made[one][0] for one in many if one in made), default=0)
        for key, many in parents.items()
    }


def _materializations(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey]
) -> dict[dg.AssetKey, tuple[int, dg.AssetMaterialization]]:
    """Each asset's last one, with its number, as far as there is one."""
    found = {}
    for record in instance.get_asset_records(sorted(keys)):
        last = record.asset_entry.last_materialization_record
        if last is not None and last.asset_materialization is not None:
            found[record.asset_entry.asset_key] = (last.storage_id, last.asset_materialization)
    return found


def _news_in(last: dg.AssetMaterialization) -> int:
    said = last.metadata.get(NEWS)
    return said.value if isinstance(said, dg.IntMetadataValue) and said.value else 0


def by_cron() -> Mapping[str, list[dg.AssetKey]]:
    """Cron → the models that have it as `meta: {dagster: {cron_schedule: …}}`."""
    found = defaultdict(list)
    for key in sorted(marts.keys):
        meta = nodes()[key]["config"].get("meta", {})
        if cron := (meta.get("dagster") or {}).get("cron_schedule"):
            found[str(cron)].append(key)
    return found


def schedule_of(cron: str, keys: list[dg.AssetKey]) -> dg.ScheduleDefinition | None:
    """Run some of them at a time of their own; None if it says no time."""
    words = {"*": "x", "/": "_by_", "-": "_to_", ",": "_and_"}
    name = re.sub(r"\W", "_", "".join(words.get(sign, sign) for sign in cron), flags=re.ASCII)
    try:
        return dg.ScheduleDefinition(
            name=f"marts_at_{name}",
            job=marts_job,
            cron_schedule=cron,
            execution_fn=lambda _: dg.RunRequest(asset_selection=keys),
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Models of your own: {', '.join(key.path[-1] for key in keys)}.",
        )
    except dg.DagsterInvalidDefinitionError as error:
        log.warning("%s; these follow loads: %s", error, ", ".join(key.path[-1] for key in keys))
        return None


_SCHEDULES = [
    (schedule, keys) for cron, keys in by_cron().items() if (schedule := schedule_of(cron, keys))
]

TIMED = {key for _, keys in _SCHEDULES for key in keys}
"""The models that go by the clock, and not by loads."""

definitions = dg.Definitions()
"""All of it; nothing where there is no model of a user's."""

if marts.keys:
    definitions = dg.Definitions(
        assets=[marts],
        jobs=[marts_job],
        sensors=[after_loads],
        schedules=[schedule for schedule, _ in _SCHEDULES],
    )
